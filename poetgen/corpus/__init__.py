"""From files to token ids: reading, cleaning, splitting, vocabulary, batches."""
