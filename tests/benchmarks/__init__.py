"""What a micro-batch costs: counts that gate CI, and times next to the physical floor."""
