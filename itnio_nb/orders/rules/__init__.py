"""The rules that cells must keep: damage, numbers, duplicates; a rule returns hits. What they found, by kind."""
