"""DPO on pairs."""

from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

name = "HuggingFaceTB/SmolLM2-135M-Instruct"
model = AutoModelForCausalLM.from_pretrained(name, torch_dtype="auto", revision="main")
tokenizer = AutoTokenizer.from_pretrained(name)
pairs = load_dataset("trl-lib/ultrafeedback_binarized", split="train")
args = DPOConfig(output_dir="dpo", beta=0.1, learning_rate=5.0e-7, num_train_epochs=1, max_length=1024, temperature=0.7)
DPOTrainer(model=model, args=args, train_dataset=pairs, processing_class=tokenizer).train()
