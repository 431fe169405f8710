"""Started by `accelerate launch`; its settings are in a file that TrlParser reads."""

from dataclasses import dataclass, field

from accelerate import Accelerator
from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser, get_peft_config


@dataclass
class ScriptArguments:
    dataset_name: str = "trl-lib/DeepMath-103K"
    max_prompts: int = field(default=1000)


def is_short(completions, **kwargs):
    return [1.0 if len(each[0]["content"]) < 400 else 0.0 for each in completions]


def main(script_args, training_args, model_args):
    Accelerator().print("begin")
    rows = load_dataset(script_args.dataset_name, split="train")
    trainer = GRPOTrainer(
        model=model_args.model_name_or_path,
        args=training_args,
        reward_funcs=[is_short],
        train_dataset=rows,
        peft_config=get_peft_config(model_args),
        callbacks=[],
    )
    trainer.train()


if __name__ == "__main__":
    parser = TrlParser((ScriptArguments, GRPOConfig, ModelConfig))
    main(*parser.parse_args_and_config())
