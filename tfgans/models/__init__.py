"""The zoo itself: one file a system, each with its rows."""
