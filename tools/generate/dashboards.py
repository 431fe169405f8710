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
TAG = "reasoning-operator"
JOB_LINK = {
    "title": "Show the job",
    "url": "/d/rtj-job?var-namespace=${__data.fields.Namespace}&var-name=${__value.raw}&${__url_time_range}",
}
OF_NAMESPACES = 'namespace=~"$namespace"'
OF_JOB = 'namespace="$namespace", name="$name"'
TRAINS = f'and on (job, instance, namespace, name) reasoning_job_stage{{{OF_JOB}, stage=~"warmup|reinforce"}}'
"""An evaluation's steps are rows."""
OF_OPERATOR = "and on (job, instance) reasoning_operator_leader"
"""Every process serves its memory and CPU time, a training pod too: the operator's is where its own series are."""
WAITING = "Pending|Preflight|Queued|Starting"
PLAIN, GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE = "text", "green", "yellow", "orange", "red", "blue", "purple"
"""Colours by Grafana's names; `text` is that of the letters."""
PHASES = {
    "Pending": ORANGE,
    "Preflight": "light-orange",
    "Queued": YELLOW,
    "Starting": PURPLE,
    "Running": GREEN,
    "Suspended": PLAIN,
    "Succeeded": BLUE,
    "Failed": RED,
}
MODELS = {"base": ("Base model", PLAIN), "warmup": ("After the warm-up", YELLOW), "reinforce": ("After RL", GREEN)}
"""Titles and colours of the models that are evaluated, by their label."""
Query = tuple[str, str]
"""An expression of PromQL, and the legend of its series."""
Steps = Sequence[tuple[float | None, str]]
"""Colours of a figure, each with the lowest figure that has it; of the first there is none."""


def dashboards() -> dict[str, str]:
    """Return every dashboard as JSON, by the name of its file without the ending."""
    return {
        name: JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"
        for name, built in (("fleet", _fleet()), ("job", _job()), ("operator", _operator()))
    }


def _fleet() -> dashboard.Dashboard:
    board = _board("Reasoning training: fleet", "rtj-fleet", "now-24h").with_variable(_namespaces(several=True))
    counts = {"Running": GREEN, "Waiting": YELLOW, "Succeeded": BLUE, "Failed": RED}
    for title, color in counts.items():
        of_phases = _phases(WAITING if title == "Waiting" else title)
        board.with_panel(_stat(title, f"sum({of_phases}) or vector(0)", steps=((None, PLAIN), (1, color))))
    phases = _lines("Jobs by phase", [(f"sum by (phase) ({_phases('.+')})", "{{phase}}")], stacked=True)
    for phase, color in PHASES.items():
        phases.override_by_name(phase, [_fixed(color)])
    board.with_panel(phases.min(0).decimals(0))
    board.with_panel(
        _lines(
            "GPU-hours by namespace, so far",
            [(f"sum by (namespace) ({_job_max('gpu_seconds_total', OF_NAMESPACES)}) / 3600", "{{namespace}}")],
            "h",
            text="Of the jobs whose objects are there, over all their attempts.",
        )
        .min(0)
        .no_value("No job has had a GPU")
    )
    running = f"and on (namespace, name) {_phases('Running')}"
    board.with_panel(
        _table(
            "What runs",
            [
                (f"{_job_max('progress_ratio', OF_NAMESPACES)} {running}", "Progress", "percentunit"),
                (f"{_job_max('remaining_seconds', OF_NAMESPACES)} {running}", "Remaining", "s"),
                (f"{_job_max('reward', OF_NAMESPACES)} {running}", "Reward", "short"),
            ],
        )
    )
    age = f"time() - {_job_max('created_timestamp_seconds', OF_NAMESPACES)}"
    board.with_panel(
        _table("What waits, and how old it is", [(_with_phase(f"({age})", WAITING), "Age", "s")], ("phase",))
    )
    reasons = f"max by (namespace, name, reason) (reasoning_job_failure{{{OF_NAMESPACES}}})"
    board.with_panel(
        _table("What failed or does not run, and why", [(_with_phase(reasons, ".+"), "", "")], ("phase", "reason"))
    )
    accuracies = [
        (_job_max("held_out_accuracy", f'{OF_NAMESPACES}, model="{each}"'), title, "percentunit")
        for each, (title, _) in MODELS.items()
    ]
    board.with_panel(_table("Held-out accuracy", accuracies, text="Of the models of each job, on the same rows."))
    return board


def _job() -> dashboard.Dashboard:
    board = (
        _board("Reasoning training: one job", "rtj-job", "now-6h")
        .with_variable(_namespaces(several=False))
        .with_variable(_names())
    )
    attempts = f"changes(max({_of('attempts_total')})[1m:15s]) > 0"
    board.annotation(
        dashboard.AnnotationQuery().name("Attempts").datasource(SOURCE).enable(True).icon_color(ORANGE).expr(attempts)
    )
    board.with_panel(_stat("Progress", f"max({_of('progress_ratio')})", "percentunit"))
    board.with_panel(_stat("Remaining", f"max({_of('remaining_seconds')})", "s"))
    board.with_panel(_stat("Attempts", f"max({_of('attempts_total')})", steps=((None, PLAIN), (2, ORANGE))))
    board.with_panel(_stat("GPU time", f"max({_of('gpu_seconds_total')})", "s").no_value("none"))
    info = ("algorithm", "model", "backend", "engine", "load_in")
    trains = f"max by (namespace, name, {', '.join(info)}) (reasoning_job_info{{{OF_JOB}}})"
    board.with_panel(
        _table("What trains", [(_with_phase(trains, ".+", OF_JOB), "", "")], ("phase", *info)).height(4).span(2 * HALF)
    )
    _learning(board.with_row(dashboard.Row("Does it learn?")))
    _gain(board.with_row(dashboard.Row("What was gained")))
    _cost(board.with_row(dashboard.Row("What it takes")))
    return board


def _learning(board: dashboard.Dashboard) -> None:
    board.with_panel(
        _lines("Reward", [(f"max({_of('reward')})", "reward"), (f"max({_of('reward_std')})", "spread in groups")])
    )
    board.with_panel(
        _lines("Parts of the reward", [(f"max by (reward) ({_of('reward_part')})", "{{reward}}")], text="Unweighted.")
    )
    groups = _lines(
        "Groups that teach nothing",
        [
            (f"max({_of('zero_spread_ratio')})", "no spread"),
            (f"max({_of('sampled_zero_spread_ratio')})", "no spread, before rows were replaced"),
            (f"max({_of('clipped_ratio')})", "cut at the limit"),
        ],
        "percentunit",
        text="Share of groups whose completions all got the same reward, and of completions that were cut.",
    )
    board.with_panel(groups.min(0).max(1))
    board.with_panel(
        _lines(
            "KL and entropy",
            [(f"max({_of('kl_nats')})", "KL from the reference"), (f"max({_of('entropy_nats')})", "entropy")],
            text="In nats a token.",
        ).min(0)
    )
    board.with_panel(
        _lines("Length of a completion, tokens", [(f"max({_of('completion_tokens')})", "mean")], width=THIRD).min(0)
    )
    board.with_panel(
        _lines(
            "Loss and gradient",
            [(f"max({_of('loss')})", "loss"), (f"max({_of('gradient_norm')})", "norm of the gradient (right)")],
            width=THIRD,
        ).override_by_name("norm of the gradient (right)", [_property("custom.axisPlacement", "right")])
    )
    board.with_panel(_lines("Learning rate", [(f"max({_of('learning_rate')})", "learning rate")], "sci", THIRD).min(0))


def _gain(board: dashboard.Dashboard) -> None:
    board.with_panel(_accuracy())
    preferred = [
        (f"max({_of('held_out_preferred', of_model)})", title)
        for each, (title, _) in MODELS.items()
        for of_model in (f'model="{each}"',)
    ]
    board.with_panel(
        _coloured(
            _lines(
                "Pairs preferred",
                preferred,
                "percentunit",
                QUARTER,
                text="Share of held-out pairs whose chosen completion is the likelier one.",
            )
        )
        .min(0)
        .max(1)
        .no_value("The held-out rows are no pairs")
    )
    board.with_panel(
        _lines(
            "Completions not scored",
            [(f"max by (reward) ({_of('unscored_completions_total')})", "{{reward}}")],
            width=QUARTER,
            text="Since the attempt began, by reward function.",
        ).no_value("All were scored")
    )


def _cost(board: dashboard.Dashboard) -> None:
    board.with_panel(
        _lines(
            "Duration of a step",
            [(f"max({_of('step_seconds')} {TRAINS})", "median of the last 20")],
            "s",
            THIRD,
            text="Of the warm-up and of RL.",
        ).min(0)
    )
    board.with_panel(_lines("Tokens a second", [(f"max({_of('tokens_per_second')})", "tokens")], width=THIRD).min(0))
    busy = _lines("GPU busy", [(f"max({_of('gpu_busy_ratio')})", "busy")], "percentunit", THIRD)
    board.with_panel(busy.min(0).max(1).no_value("The run has no GPU"))
    board.with_panel(
        _lines(
            "Memory",
            [
                (f"max({_of('memory_peak_bytes')})", "host, peak"),
                (f"max({_of('memory_limit_bytes')})", "host, limit"),
                (f"max({_of('gpu_memory_bytes')})", "GPU, peak"),
            ],
            "bytes",
            THIRD,
        ).min(0)
    )
    board.with_panel(
        _lines(
            "Step",
            [(f"max({_of('step')} {TRAINS})", "step"), (f"max({_of('steps')} {TRAINS})", "of")],
            width=THIRD,
            text="Of the warm-up and of RL.",
        ).min(0)
    )
    board.with_panel(
        _lines(
            "Engine against trainer",
            [(f"max({_of('importance_ratio')})", "ratio")],
            width=THIRD,
            text="Mean ratio of the trainer's to the engine's probability of what was sampled: 1 if they agree.",
        ).no_value("The trainer sampled by itself")
    )


def _accuracy() -> timeseries.Panel:
    """Lines of the models, each in the band of its interval."""
    queries = [
        (f"max({_of(f'held_out_accuracy{end}', of_model)})", f"{title}{suffix}")
        for each, (title, _) in MODELS.items()
        for of_model in (f'model="{each}"',)
        for end, suffix in (("", ""), ("_low", ", low"), ("_high", ", high"))
    ]
    panel = _coloured(
        _lines(
            "Held-out accuracy, with 95% intervals",
            queries,
            "percentunit",
            text="Of the base model, after the warm-up, and after RL, on the same rows.",
        )
    )
    hidden = _property("custom.hideFrom", {"legend": True, "tooltip": False, "viz": False})
    for title, color in MODELS.values():
        band = [_property("custom.fillBelowTo", f"{title}, low"), _property("custom.fillOpacity", 15)]
        for end, more in (("low", []), ("high", band)):
            thin = [_fixed(color), _property("custom.lineWidth", 0), hidden, *more]
            panel.override_by_name(f"{title}, {end}", thin)
    return panel.min(0).max(1).no_value("Nothing was evaluated yet")


def _operator() -> dashboard.Dashboard:
    board = _board("Reasoning training: operator", "rtj-operator", "now-6h")
    leaders = "sum(reasoning_operator_leader) or vector(0)"
    board.with_panel(_stat("Leaders", leaders, steps=((None, RED), (1, GREEN))))
    board.with_panel(_stat("Jobs", "sum(reasoning_operator_jobs) or vector(0)"))
    board.with_panel(_stat("Queue", "sum(reasoning_operator_workqueue_depth)"))
    board.with_panel(_stat("Memory", f"max(process_resident_memory_bytes {OF_OPERATOR})", "bytes"))
    board.with_panel(
        _lines(
            "Reconciles a second",
            [("sum by (result) (rate(reasoning_operator_reconciles_total[5m]))", "{{result}}")],
            "ops",
        )
        .min(0)
        .override_by_name("error", [_fixed(RED)])
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
        ).min(0)
    )
    board.with_panel(
        _lines(
            "Requests to the API server a second",
            [("sum by (method, code) (rate(reasoning_operator_api_requests_total[5m]))", "{{method}} {{code}}")],
            "reqps",
        ).min(0)
    )
    depth = [("sum(reasoning_operator_workqueue_depth)", "jobs that wait")]
    board.with_panel(_lines("Depth of the queue", depth).min(0).decimals(0))
    cores = [(f"max(rate(process_cpu_seconds_total[5m]) {OF_OPERATOR})", "cores")]
    board.with_panel(_lines("CPU", cores).min(0))
    board.with_panel(
        _lines(
            "GPUs in use, by namespace",
            [("sum by (namespace) (rate(reasoning_operator_gpu_seconds_total[15m]))", "{{namespace}}")],
            text="GPU-seconds a second, as the operator counts them.",
        ).min(0)
    )
    return board


def _phases(phase: str, where: str = OF_NAMESPACES) -> str:
    return f'max by (namespace, name, phase) (reasoning_job_phase{{{where}, phase=~"{phase}"}})'


def _with_phase(vector: str, phase: str, where: str = OF_NAMESPACES) -> str:
    """Return jobs that are in a phase, with the phase as a label."""
    return f"{vector} * on (namespace, name) group_left (phase) {_phases(phase, where)}"


def _job_max(name: str, where: str) -> str:
    """Operator and pod may both be scraped: a job's figure is taken once."""
    return f"max by (namespace, name) (reasoning_job_{name}{{{where}}})"


def _of(name: str, more: str = "") -> str:
    return f"reasoning_job_{name}{{{', '.join(filter(None, (OF_JOB, more)))}}}"


def _board(title: str, uid: str, since: str) -> dashboard.Dashboard:
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    others = dashboard.DashboardLink("Reasoning training").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags([TAG])
        .link(others.include_vars(True).keep_time(True).as_dropdown(True))
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


def _property(name: str, value: object) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=name, value=value)


def _fixed(color: str) -> model.DynamicConfigValue:
    return _property("color", {"mode": "fixed", "fixedColor": color})


def _coloured(panel: timeseries.Panel) -> timeseries.Panel:
    """Give the models' lines their colours."""
    for title, color in MODELS.values():
        panel.override_by_name(title, [_fixed(color)])
    return panel


def _stat(title: str, expression: str, unit: str = "short", steps: Steps = ((None, PLAIN),)) -> stat.Panel:
    # without thresholds of a panel's own, Grafana draws green what is below 80 and red what is not
    colours = [model.Threshold(value=value, color=color) for value, color in steps]
    panel = stat.Panel().title(title).datasource(SOURCE).unit(unit).height(4).span(QUARTER)
    return (
        panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(colours))
        .with_target(_target((expression, title), 0))
    )


def _lines(
    title: str,
    queries: Sequence[Query],
    unit: str = "short",
    width: int = HALF,
    *,
    text: str = "",
    stacked: bool = False,
) -> timeseries.Panel:
    panel = timeseries.Panel().title(title).datasource(SOURCE).unit(unit).height(8).span(width)
    # what is not said here is false, not Grafana's own default
    panel.legend(
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(shapes.LegendDisplayMode.LIST)
        .placement(shapes.LegendPlacement.BOTTOM)
    )
    panel.tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
    if text:
        panel.description(text)
    if stacked:
        panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL)).fill_opacity(30)
    for number, query in enumerate(queries):
        panel.with_target(_target(query, number))
    return panel


def _table(
    title: str, queries: Sequence[tuple[str, str, str]], labels: Sequence[str] = (), *, text: str = ""
) -> table.Panel:
    """Return a table of jobs: a row each, and a column for every label and query.

    Parameters
    ----------
    title
        Its title.
    queries
        Expressions, each with title and unit of its column; without a title it has none.
    labels
        What tells more of a job than namespace and name.
    text
        A description.
    """
    panel = table.Panel().title(title).datasource(SOURCE).height(8).span(HALF).show_header(True)
    if text:
        panel.description(text)
    for number, (expression, column, _) in enumerate(queries):
        panel.with_target(_target((expression, column), number, instant=True))
    values = [f"Value #{chr(ord('A') + number)}" for number in range(len(queries))] if len(queries) > 1 else ["Value"]
    columns = ["namespace", "name", *labels]
    titles = ["Namespace", "Job", *(each.replace("_", " ").capitalize() for each in labels)]
    named = dict(zip(columns, titles, strict=True))
    named |= {value: column for value, (_, column, _) in zip(values, queries, strict=True) if column}
    left_out = {"Time": True} | {value: True for value in values if value not in named}
    order = {name: number for number, name in enumerate([*columns, *values])}
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="organize", options={"excludeByName": left_out, "indexByName": order, "renameByName": named}
        )
    )
    for _, column, unit in queries:
        if column:
            panel.override_by_name(column, [_property("unit", unit)])
    return panel.override_by_name("Job", [_property("links", [JOB_LINK])])
