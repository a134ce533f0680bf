select * from {{ ref('int_titles') }}
