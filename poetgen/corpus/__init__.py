"""From raw poems to a corpus: cleaning, script, duplicates, splits, vocabulary, the folder."""
