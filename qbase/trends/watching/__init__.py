"""Many numbers looked at, or one looked at often: alarms that are counted on, and lists that direct visits."""
