"""Bytes on disk: the event store, run folders, TensorBoard files, atomic writes."""
