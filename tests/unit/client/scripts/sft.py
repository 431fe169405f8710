"""SFT alone."""

from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

rows = load_dataset("open-r1/OpenR1-Math-220k", "default", split="train")
config = SFTConfig(learning_rate=2e-4, num_train_epochs=2, max_seq_length=4096, warmup_ratio=0.03, packing=True, max_steps=100)
SFTTrainer("Qwen/Qwen2.5-0.5B", train_dataset=rows, args=config, peft_config=LoraConfig(r=64, target_modules="all-linear")).train()
