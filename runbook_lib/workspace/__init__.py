"""What a step works with: its run, the systems outside, the policies, the decisions and the thread."""
