"""What would stop or spoil a run here, and how to mend it. It measures nothing."""
