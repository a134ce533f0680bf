import pytest

from orchestration.edge.topology import read_network
from orchestration.sample import SampleWorldError, describe_emulation, make_traces, read_traces, traces_by_class


def test_traces_of_a_class_are_of_its_speed():
    by_class = traces_by_class(make_traces(1))

    for trace in by_class["slow"]:
        assert 0.2e6 < trace.mean_bandwidth_bps < 2e6
        assert trace.duration_s == 240
    assert any(min(rate for _, rate in trace.steps) < 0.1e6 for trace in by_class["slow"]), "slow links dip"
    means = {name: sum(t.mean_bandwidth_bps for t in own) / len(own) for name, own in by_class.items()}
    assert means["slow"] < means["mixed"] < means["fast"]
    assert all(0 < trace.latency_s < 0.2 for trace in make_traces(1))


def test_traces_come_from_the_seed():
    assert make_traces(1) == make_traces(1)
    assert make_traces(1) != make_traces(2)
    assert len({trace.trace_id for trace in make_traces(1)}) == 24


def test_measured_traces_are_read_and_classed_by_their_mean(tmp_path):
    header = "duration_s,bandwidth_kbps,latency_ms\n"
    (tmp_path / "bus.csv").write_text(header + "1.0,800,80\n3.0,400,40\n")
    (tmp_path / "home.csv").write_text(header + "5,5000,20\n")
    (tmp_path / "fibre.csv").write_text(header + "5,90000,5\n")
    (tmp_path / "INDEX.tsv").write_text("not a trace")

    bus, fibre, home = read_traces(tmp_path)

    assert (bus.trace_id, bus.network_class) == ("bus", "slow")
    assert bus.steps == ((1.0, 800_000.0), (3.0, 400_000.0))
    assert bus.mean_bandwidth_bps == 500_000
    assert bus.latency_s == pytest.approx(0.06)
    assert (home.network_class, fibre.network_class) == ("mixed", "fast")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seconds,kbps\n1,2\n", "needs the columns"),
        ("duration_s,bandwidth_kbps,latency_ms\n1,fast,80\n", "no number"),
        ("duration_s,bandwidth_kbps,latency_ms\n", "no step"),
        ("duration_s,bandwidth_kbps,latency_ms\n5,0,80\n", "no step"),
    ],
)
def test_a_file_of_another_form_is_named(tmp_path, content, message):
    (tmp_path / "odd.csv").write_text(content)

    with pytest.raises(SampleWorldError, match=rf"odd\.csv.*{message}"):
        read_traces(tmp_path)


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(SampleWorldError, match="holds no trace"):
        read_traces(tmp_path)


def test_a_class_without_a_trace_is_said():
    with pytest.raises(SampleWorldError, match="fast"):
        traces_by_class([trace for trace in make_traces(1) if trace.network_class != "fast"])


def test_everything_emulated_is_described():
    text = describe_emulation(read_network(), make_traces(1))

    for edge in read_network().edges:
        assert edge.edge_id in text
    for region in read_network().regions:
        assert region.time_zone in text
    assert "45 ms, 200 Mbit/s" in text
    assert "| slow | 8 |" in text
