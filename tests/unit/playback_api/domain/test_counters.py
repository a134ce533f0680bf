from playback_api.domain.counters import Counters


def test_counts_are_kept_by_name_and_labels():
    counters = Counters()
    counters.add("pages", source="model")
    counters.add("pages", 2, source="popularity")
    counters.add("plain")
    assert counters.value("pages", source="popularity") == 2
    assert counters.value("pages") == 0
    assert counters.as_dict() == {'pages{source="model"}': 1, 'pages{source="popularity"}': 2, "plain": 1}


def test_the_text_has_one_type_line_for_each_metric_and_escapes_labels():
    counters = Counters()
    counters.add("odd", name='a"b\\c\nd')
    counters.add("odd", name="plain")
    text = counters.prometheus_text("x_", gauges=[("level", (("edge", "e"),), 0.5)])
    assert text == (
        '# TYPE x_level gauge\nx_level{edge="e"} 0.5\n'
        '# TYPE x_odd_total counter\nx_odd_total{name="a\\"b\\\\c\\nd"} 1\nx_odd_total{name="plain"} 1\n'
    )
