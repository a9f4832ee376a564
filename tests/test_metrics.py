"""Figures in Prometheus' text format, read back by its own parser, and named as its conventions say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ami_planfix.metrics import Histogram, Sent, exposition
from tests.making import some_figures

ADMIN = Path(__file__).parent.parent / "docs" / "admin"


def read(text: bytes) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def values(text: bytes, name: str) -> dict[str, float]:
    """Tell the samples of a family, by their labels."""
    found = {}
    for family in read(text).values():
        for sample in family.samples:
            if sample.name == name:
                found[",".join(sample.labels[label] for label in sorted(sample.labels, reverse=True))] = sample.value
    return found


def names() -> set[str]:
    """Tell the names of all samples that are exposed."""
    return {sample.name for family in read(exposition(some_figures())).values() for sample in family.samples}


class TestHistogram:
    @pytest.mark.parametrize(("seconds", "place"), [(0.0, 0), (0.1, 0), (0.1001, 1), (1.0, 1), (1.5, 2), (1e9, 2)])
    def test_a_duration_is_counted_at_the_bound_that_it_does_not_exceed(self, seconds: float, place: int) -> None:
        histogram = Histogram((0.1, 1.0))
        histogram.observe(seconds)
        assert histogram.counts == [int(number == place) for number in range(3)]
        assert histogram.sum == seconds

    def test_buckets_are_written_as_sums(self) -> None:
        sent = Sent()
        for seconds in (0.004, 0.004, 0.2, 7200.0):
            sent.seconds.observe(seconds)
        text = exposition(some_figures(sent))
        buckets = values(text, "ami_planfix_delivery_seconds_bucket")
        assert (buckets["0.01"], buckets["0.1"], buckets["0.25"], buckets["3600.0"], buckets["+Inf"]) == (2, 2, 3, 3, 4)
        assert values(text, "ami_planfix_delivery_seconds_count") == {"": 4}
        assert values(text, "ami_planfix_delivery_seconds_sum")[""] == pytest.approx(7200.208)


class TestExposition:
    def test_every_figure_arrives(self) -> None:
        text = exposition(some_figures())
        assert values(text, "ami_planfix_calls_total") == {"in,Success": 7, "out,NoAnswer": 1}
        assert values(text, "ami_planfix_reports_total") == {
            "delivered": 5,
            "postponed": 2,
            "refused": 1,
            "left_out": 0,
        }
        assert values(text, "ami_planfix_outbox_reports") == {"waiting": 3, "dead": 1}
        assert values(text, "ami_planfix_oldest_waiting_seconds") == {"": 12.5}
        assert values(text, "ami_planfix_ami_messages_total") == {"": 1000}
        assert values(text, "ami_planfix_lookups_total") == {"kept": 6, "answered": 4, "unanswered": 0}
        assert values(text, "ami_planfix_part_well") == {"planfix": 0, "asterisk": 1}
        assert values(text, "ami_planfix_info") == {"1.2.3": 1}
        assert values(text, "process_resident_memory_bytes")[""] > 1_000_000

    def test_names_are_as_the_conventions_say(self) -> None:
        for name, family in read(exposition(some_figures())).items():
            assert re.fullmatch(r"(ami_planfix|process)_[a-z_]+", name)
            assert family.documentation
            ends = {sample.name.removeprefix(name) for sample in family.samples}
            if family.type == "counter":
                assert ends == {"_total"}
            elif family.type == "histogram":
                assert name.endswith("_seconds")
                assert ends == {"_bucket", "_count", "_sum"}
            else:
                assert not name.endswith("_total")


class TestWhatIsShipped:
    def test_every_figure_that_a_rule_or_the_dashboard_asks_for_is_exposed(self) -> None:
        rules = (ADMIN / "prometheus-rules.yaml").read_text(encoding="utf-8")
        dashboard = (ADMIN / "grafana.json").read_text(encoding="utf-8")
        asked = set(re.findall(r"ami_planfix_[a-z_]+", rules + dashboard))
        assert asked
        assert asked - names() == set()

    def test_every_figure_is_told_of(self) -> None:
        told = (ADMIN / "metrics.md").read_text(encoding="utf-8")
        bases = {re.sub(r"_(bucket|count|sum)$", "", name) for name in names() if name.startswith("ami_planfix")}
        assert [name for name in sorted(bases) if f"`{name}" not in told] == []

    def test_rules_say_what_is_wrong_and_what_to_do(self) -> None:
        (group,) = yaml.safe_load((ADMIN / "prometheus-rules.yaml").read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]:
            assert rule.keys() >= {"alert", "expr", "for", "labels", "annotations"}
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert rule["annotations"].keys() == {"summary", "description"}

    def test_panels_of_the_dashboard_do_not_overlap(self) -> None:
        panels = json.loads((ADMIN / "grafana.json").read_text(encoding="utf-8"))["panels"]
        places = [
            (x, y)
            for at in (panel["gridPos"] for panel in panels)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        ]
        assert len(places) == len(set(places))
        assert max(x for x, _ in places) < 24
