"""Each control: with it the attack fails, and without exactly it the attack succeeds."""
