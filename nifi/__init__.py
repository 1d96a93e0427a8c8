"""The NiFi side of Pitlane: the flow as a file, one module for each verb on it, our NAR and NiFi without Docker."""
