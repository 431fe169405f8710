"""The page that says what may change in a spec, when, and what then happens."""

from __future__ import annotations

from reasoning_contract.api import RETRY
from reasoning_contract.spec import Spec
from reasoning_contract.spec.changing import CHANGED_HINT, IDLE_PHASES, MANNERS, SUCCEEDED, retry_hint
from reasoning_contract.spec.nature import Changes, settled

_BEGINNING = """\
<!-- Generated from trainer_image/reasoning_contract/spec by `make generate`; do not edit. -->
# When the spec changes

Edit the object (`kubectl edit`, `patch`, `apply`). Each field belongs to one of these kinds, and whatever refuses a
change says what to do instead. Before a job has a phase everything may change; once it has succeeded only limits
may, and what only the operator heeds.

| kind | when, and what then happens |
| --- | --- |
"""
_REST = f"""\
## What is said of a change

The condition `SpecApplied` is False, reason `Applying`, from the moment that a change is seen until a Job is made
with it, and True, reason `Applied`, afterwards; its message names the fields, as `reinforce.learningRate: 5e-06 ->
0.0001`. A field that was not set is shown with the value that it had by itself; a learning rate that follows from
the model's size is `not set` until the trainer has told it. Events `SpecApplying` and `SpecApplied` say the same.
`status.specChanges`, the log, the model card and the report have each change with the step after which it was
heeded, and so has the first step after it in `reinforce/history.jsonl` (`changed`). A change of a stage that is done
has no effect, and is recorded with these words.

Only changes of the object restart a pod. Another version of the operator, and other defaults of its administrator,
do not; but the pod that is made for a change is made by the operator as it is then. A GPU's job passes its preflight
again before that. The attempts that `limits.maxAttempts` allows are counted anew from a change on.

## How rates and steps go on

The learning rate at a step is the one that a run by the new values would have had at that step from its beginning;
the optimizer keeps its moments.

- **Other steps or epochs** stretch or shorten the course. With 50 of 100 steps of a linear course made, 200 steps
  raise the rate from 50% of the peak to 75% at once: lower `reinforce.learningRate` in the same change where that is
  too much.
- **The warm-up of the rate** (`warmupRatio`) is a share of all steps. More steps make it longer, so that a run that
  was past it may rise once more: at step 12 of 100 with `warmupRatio` 0.1 the rate is at its peak, and with 200
  steps at 60% of it.
- **Fewer steps than are made** end the stage with the model of the last checkpoint.
- **Another batch size** goes on in the rows where so many steps of the new size would be: around the change some
  rows come twice or not at all in that pass.
- **`checkpoint.everySteps`** counts from the stage's beginning, not from the change.

## A job that failed

Whatever ended it, the object and the folder of its run stay. Mend what `status.failure` names, then give the
annotation `{RETRY}` a value that it has not had:

```console
$ kubectl annotate rtj NAME --overwrite {RETRY}=1
```

The Job that failed and its pods are deleted, and the next attempt goes on from the last checkpoint; with
`spec.suspend: true` it rests first. `status.attempts`, `startTime` and the GPU-hours go on, so a limit that ended
the job must be raised. The failure's hint has the command with the value that is due. A job whose claim was deleted
cannot be started again, and one that has succeeded is not.

`SpecChanged` means that rows, model or reward code differ from those that the checkpoints were made with, without a
change of the object that could have been refused: {CHANGED_HINT}.

## What is said where

"""


def changing_page() -> str:
    """Return the page."""
    rows = "".join(f"| {each.title} | {each.when} |\n" for each in MANNERS.values())
    fields = "".join(f"- **{each.title}**: {_fields(kind)}\n" for kind, each in MANNERS.items())
    said = "".join(f"- {text}\n" for text in _said())
    no_pod = ", ".join(f"`{phase}`" for phase in IDLE_PHASES)
    idle = f"\nNo pod trains in the phases {no_pod}.\n\n"
    return f"{_BEGINNING}{rows}{idle}{fields}\n{_REST}{said}"


def _fields(kind: Changes) -> str:
    return ", ".join(f"`{each.path}`" for each in settled(Spec) if each.nature.changes == kind)


def _said() -> list[str]:
    """Return what a rule or a status answers, as it does, with FIELD and NAME in it."""
    refused = [(each.title, text) for each in MANNERS.values() for text in (each.at_work, each.trained) if text]
    rules = [f"{title}: `{text.format(field='FIELD')}`" for title, text in refused]
    done = f"Any field of a job that is done: `{SUCCEEDED.format(field='FIELD')}`"
    return [*rules, done, f"A job that failed: `{retry_hint('NAME', None)}`"]
