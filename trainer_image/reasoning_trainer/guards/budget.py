"""GPU-hours that are spent."""

from __future__ import annotations

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Limits

from .verdict import Verdict


def judge_budget(limits: Limits, gpu_seconds: float) -> Verdict:
    """Judge the GPU-seconds of all attempts against ``limits.gpuHours``. Save a checkpoint before acting on it."""
    spent, budget = gpu_seconds / 3600, limits.gpu_hours
    if budget is None or spent < budget:
        return Verdict(f"{spent:.2f} GPU-hours spent")
    return Verdict.against(
        message=f"{spent:.2f} GPU-hours are spent, the budget of limits.gpuHours is {budget:g}",
        exit_code=ExitCode.BUDGET_SPENT,
        reason="BudgetSpent",
        hint="the last checkpoint is kept: raise limits.gpuHours to go on from it",
    )
