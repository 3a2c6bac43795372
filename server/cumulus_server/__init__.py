"""The relay: takes submissions, places them on workers, carries their events back."""
