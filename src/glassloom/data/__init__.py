"""Text to ids: corpora, tokenizers, and how they are split."""
