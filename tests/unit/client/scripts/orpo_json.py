"""ORPO on a file of this machine."""

from datasets import load_dataset
from trl import ORPOConfig, ORPOTrainer

EPOCHS = 3
pairs = load_dataset("json", data_files="pairs.jsonl", split="train")
pairs = pairs.map(lambda row: {"prompt": row["question"], "chosen": row["good"], "rejected": row["bad"]})
config = ORPOConfig(beta=0.2, num_train_epochs=EPOCHS, per_device_train_batch_size=2 * 2)
ORPOTrainer("/models/base", args=config, train_dataset=pairs).train()
