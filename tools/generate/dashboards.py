"""The Grafana dashboards: what runs and what it costs, one job from its first step to its proof, and the operator."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

HALF, THIRD, QUARTER = 12, 8, 6
"""Widths of panels, of the grid's 24 columns."""
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
OF_NAMESPACES = 'namespace=~"$namespace"'
OF_JOB = 'namespace="$namespace", name="$name"'
WAITING = "Pending|Preflight|Queued|Starting"
Query = tuple[str, str]
"""An expression of PromQL, and the legend of its series."""


def dashboards() -> dict[str, str]:
    """Return every dashboard as JSON, by the name of its file without the ending."""
    return {
        name: JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"
        for name, built in (("fleet", _fleet()), ("job", _job()), ("operator", _operator()))
    }


def _fleet() -> dashboard.Dashboard:
    board = _board("Reasoning training: fleet", "rtj-fleet", "now-24h").with_variable(_namespaces(several=True))
    for phase in ("Running", "Queued", "Pending", "Failed"):
        board.with_panel(_stat(phase, [(f"sum({_phases(phase)}) or vector(0)", phase)], QUARTER))
    board.with_panel(
        _lines("Jobs by phase", [(f"sum by (phase) ({_phases('.+')})", "{{phase}}")], "short", HALF, stacked=True)
    )
    board.with_panel(
        _lines(
            "GPU-hours by namespace, so far",
            [(f"sum by (namespace) ({_job_max('gpu_seconds_total', OF_NAMESPACES)}) / 3600", "{{namespace}}")],
            "h",
            HALF,
            text="Of the jobs whose objects are there, over all their attempts.",
        )
    )
    board.with_panel(
        _table(
            "What runs",
            [
                (f"{_job_max('progress_ratio', OF_NAMESPACES)} and {_keyed(_phases('Running'))}", "Progress"),
                (f"{_job_max('remaining_seconds', OF_NAMESPACES)} and {_keyed(_phases('Running'))}", "Remaining"),
                (f"{_job_max('reward', OF_NAMESPACES)} and {_keyed(_phases('Running'))}", "Reward"),
            ],
            {"Progress": "percentunit", "Remaining": "s", "Reward": "short"},
        )
    )
    board.with_panel(
        _table(
            "What waits, and since when",
            [
                (
                    f"time() - {_job_max('created_timestamp_seconds', OF_NAMESPACES)} and {_keyed(_phases(WAITING))}",
                    "Age",
                )
            ],
            {"Age": "s"},
        )
    )
    reasons = f"max by (namespace, name, reason) (reasoning_job_failure{{{OF_NAMESPACES}}})"
    board.with_panel(_table("What failed or does not run, and why", [(reasons, "Is so")], {"Is so": "short"}))
    gain = "max by (namespace, name, model) (reasoning_job_held_out_accuracy{" + OF_NAMESPACES + "})"
    board.with_panel(_table("Held-out accuracy", [(gain, "Accuracy")], {"Accuracy": "percentunit"}))
    return board


def _job() -> dashboard.Dashboard:
    board = (
        _board("Reasoning training: one job", "rtj-job", "now-6h")
        .with_variable(_namespaces(several=False))
        .with_variable(_names())
    )
    attempts = f"changes(max({_of('attempts_total')})[1m:15s]) > 0"
    board.annotation(
        dashboard.AnnotationQuery().name("Attempts").datasource(SOURCE).enable(True).icon_color("orange").expr(attempts)
    )
    stats: Sequence[tuple[str, str, str]] = (
        ("Progress", "progress_ratio", "percentunit"),
        ("Remaining", "remaining_seconds", "s"),
        ("Attempts", "attempts_total", "short"),
        ("GPU time", "gpu_seconds_total", "s"),
    )
    for title, name, unit in stats:
        board.with_panel(_stat(title, [(f"max({_of(name)})", title)], QUARTER, unit))
    board.with_row(dashboard.Row("Does it learn?"))
    board.with_panel(
        _lines("Reward", [(f"max({_of('reward')})", "reward"), (f"max({_of('reward_std')})", "spread in groups")])
    )
    board.with_panel(
        _lines("Parts of the reward", [(f"max by (reward) ({_of('reward_part')})", "{{reward}}")], text="Unweighted.")
    )
    board.with_panel(
        _lines(
            "Groups that teach nothing",
            [(f"max({_of('zero_spread_ratio')})", "no spread"), (f"max({_of('clipped_ratio')})", "cut at the limit")],
            "percentunit",
            text="Share of groups whose completions all got the same reward, and of completions that were cut.",
        )
    )
    board.with_panel(
        _lines(
            "KL and entropy",
            [(f"max({_of('kl_nats')})", "KL from the reference"), (f"max({_of('entropy_nats')})", "entropy")],
            text="In nats a token.",
        )
    )
    board.with_panel(_lines("Length of a completion, tokens", [(f"max({_of('completion_tokens')})", "mean")]))
    board.with_panel(
        _lines(
            "Loss, gradient and learning rate",
            [
                (f"max({_of('loss')})", "loss"),
                (f"max({_of('gradient_norm')})", "norm of the gradient"),
                (f"max({_of('learning_rate')})", "learning rate"),
            ],
        )
    )
    board.with_row(dashboard.Row("What was gained"))
    board.with_panel(_accuracy())
    board.with_panel(
        _lines(
            "Completions not scored, since the attempt began",
            [(f"max by (reward) ({_of('unscored_completions_total')})", "{{reward}}")],
            text="Empty where every reward function scored every completion.",
        )
    )
    board.with_row(dashboard.Row("What it takes"))
    board.with_panel(
        _lines("Duration of a step", [(f"max({_of('step_seconds')})", "median of the last 20")], "s", THIRD)
    )
    board.with_panel(_lines("Tokens a second", [(f"max({_of('tokens_per_second')})", "tokens")], "short", THIRD))
    board.with_panel(
        _lines("GPU busy", [(f"max({_of('gpu_busy_ratio')})", "busy")], "percentunit", THIRD, text="Empty on a CPU.")
    )
    board.with_panel(
        _lines(
            "Memory",
            [
                (f"max({_of('gpu_memory_bytes')})", "GPU, peak"),
                (f"max({_of('memory_peak_bytes')})", "host, peak"),
                (f"max({_of('memory_limit_bytes')})", "host, limit"),
            ],
            "bytes",
        )
    )
    board.with_panel(
        _lines(
            "Step", [(f"max({_of('step')})", "step"), (f"max({_of('steps')})", "of")], text="Of the stage that runs."
        )
    )
    return board


def _accuracy() -> timeseries.Panel:
    panel = _lines(
        "Held-out accuracy, with 95% intervals",
        [
            (f"max by (model) ({_of('held_out_accuracy')})", "{{model}}"),
            (f"max by (model) ({_of('held_out_accuracy_low')})", "{{model}}, low"),
            (f"max by (model) ({_of('held_out_accuracy_high')})", "{{model}}, high"),
        ],
        "percentunit",
        text="Base model, after the warm-up, and after RL, on the same rows.",
    )
    return panel.min(0).max(1)


def _operator() -> dashboard.Dashboard:
    board = _board("Reasoning training: operator", "rtj-operator", "now-6h")
    board.with_panel(_stat("Leaders", [("sum(reasoning_operator_leader) or vector(0)", "leaders")], QUARTER))
    board.with_panel(_stat("Jobs", [("sum(reasoning_operator_jobs) or vector(0)", "jobs")], QUARTER))
    board.with_panel(_stat("Queue", [("sum(reasoning_operator_workqueue_depth)", "waiting")], QUARTER))
    board.with_panel(
        _stat(
            "Memory", [('max(process_resident_memory_bytes{job=~".*reasoning-operator.*"})', "RSS")], QUARTER, "bytes"
        )
    )
    board.with_panel(
        _lines(
            "Reconciles a second",
            [("sum by (result) (rate(reasoning_operator_reconciles_total[5m]))", "{{result}}")],
            "ops",
        )
    )
    board.with_panel(
        _lines(
            "Duration of a reconcile",
            [
                (
                    f"histogram_quantile({share}, sum by (le) (rate(reasoning_operator_reconcile_seconds_bucket[5m])))",
                    name,
                )
                for share, name in ((0.5, "median"), (0.99, "99 in 100"))
            ],
            "s",
        )
    )
    board.with_panel(
        _lines(
            "Requests to the API server a second",
            [("sum by (method, code) (rate(reasoning_operator_api_requests_total[5m]))", "{{method}} {{code}}")],
            "reqps",
        )
    )
    board.with_panel(
        _lines("Depth of the queue", [("sum(reasoning_operator_workqueue_depth)", "jobs that wait")], "short")
    )
    board.with_panel(
        _lines(
            "CPU",
            [('max(rate(process_cpu_seconds_total{job=~".*reasoning-operator.*"}[5m]))', "cores")],
            "short",
        )
    )
    board.with_panel(
        _lines(
            "GPUs in use, by namespace",
            [("sum by (namespace) (rate(reasoning_operator_gpu_seconds_total[15m]))", "{{namespace}}")],
            "short",
            text="GPU-seconds a second, as the operator counts them.",
        )
    )
    return board


def _phases(phase: str) -> str:
    return f'max by (namespace, name, phase) (reasoning_job_phase{{{OF_NAMESPACES}, phase=~"{phase}"}})'


def _keyed(vector: str) -> str:
    return f"on (namespace, name) {vector}"


def _job_max(name: str, where: str) -> str:
    """Operator and pod may both be scraped: a job's figure is taken once."""
    return f"max by (namespace, name) (reasoning_job_{name}{{{where}}})"


def _of(name: str) -> str:
    return f"reasoning_job_{name}{{{OF_JOB}}}"


def _board(title: str, uid: str, since: str) -> dashboard.Dashboard:
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["reasoning-operator"])
        .readonly()
        .refresh("30s")
        .time(since, "now")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(source)
    )


def _namespaces(*, several: bool) -> dashboard.QueryVariable:
    variable = _variable("namespace", "Namespace", "label_values(reasoning_job_phase, namespace)")
    return variable.multi(True).include_all(True).all_value(".+") if several else variable


def _names() -> dashboard.QueryVariable:
    return _variable("name", "Job", 'label_values(reasoning_job_phase{namespace="$namespace"}, name)')


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )


def _target(query: Query, number: int, *, instant: bool = False) -> prometheus.Dataquery:
    expression, legend = query
    target = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number))
    return target.instant().format(PromQueryFormat.TABLE) if instant else target.range()


def _stat(title: str, queries: Sequence[Query], width: int, unit: str = "short") -> stat.Panel:
    panel = stat.Panel().title(title).datasource(SOURCE).unit(unit).height(4).span(width)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    for number, query in enumerate(queries):
        panel.with_target(_target(query, number))
    return panel


def _lines(
    title: str,
    queries: Sequence[Query],
    unit: str = "short",
    width: int = HALF,
    *,
    text: str = "",
    stacked: bool = False,
) -> timeseries.Panel:
    panel = timeseries.Panel().title(title).datasource(SOURCE).unit(unit).height(8).span(width).description(text)
    panel.legend(
        common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.LIST).placement(shapes.LegendPlacement.BOTTOM)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL)).fill_opacity(30)
    for number, query in enumerate(queries):
        panel.with_target(_target(query, number))
    return panel


def _table(title: str, queries: Sequence[Query], units: dict[str, str]) -> table.Panel:
    panel = table.Panel().title(title).datasource(SOURCE).height(8).span(HALF).show_header(True)
    for number, query in enumerate(queries):
        panel.with_target(_target(query, number, instant=True))
    names = {f"Value #{chr(ord('A') + number)}": legend for number, (_, legend) in enumerate(queries)}
    if len(queries) == 1:
        names["Value"] = queries[0][1]
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        model.DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": names})
    )
    for name, unit in units.items():
        panel.override_by_name(name, [model.DynamicConfigValue(id_val="unit", value=unit)])
    return panel
