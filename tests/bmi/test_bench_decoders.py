"""The bench measures real steps, and says whether the forms of the filter agree."""

from bmi.bench.decoders import bench_decoders


def test_the_forms_agree_and_are_timed_against_a_floor():
    result = bench_decoders(n_states=4, n_channels=16, n_steps=300)
    assert result["information_vs_covariance"] < 1e-10
    assert 0 < result["gain_settled_step"] < 300
    assert result["steady_vs_full"] < 1e-10
    latency = result["latency_us"]
    assert set(latency) == {"bare call", "information", "covariance", "steady"}
    for q in latency.values():
        assert 0 < q["p50"] <= q["p99"] <= q["p99.9"] <= q["max"]
    assert latency["bare call"]["p50"] < latency["steady"]["p50"] < latency["covariance"]["p50"]
