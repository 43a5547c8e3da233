"""What an outsider adds to Glassloom: an architecture, a tokenizer, a language, a view and a check, a file each."""
