"""Request bodies: from bytes to what a decision needs, and the few bytes that change.

No I/O. A body is read once, in C (msgspec); it is never written anew: ``document`` cuts
and splices, so that every byte that need not change stays as the client sent it.
"""
