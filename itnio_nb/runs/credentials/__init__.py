"""What the handsets need: hand-over files (`hand_over`), and new passwords (`reset`)."""
