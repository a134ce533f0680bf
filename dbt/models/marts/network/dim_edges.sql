select
    edge_id,
    region_id,
    failure_domain,
    port,
    capacity_share,
    pull_reserve_share,
    viewer_latency_ms / 1000 as viewer_latency_s,
    viewer_rate_mbps * 1e6 as viewer_rate_bps,
    origin_latency_ms / 1000 as origin_latency_s,
    origin_rate_mbps * 1e6 as origin_rate_bps,
    upstream_gb_a_day * 1e9 as upstream_bytes_a_day
from {{ ref('edges') }}
