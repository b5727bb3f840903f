"""The decoder-only transformer: one configured class for the Qwen and Llama families."""
