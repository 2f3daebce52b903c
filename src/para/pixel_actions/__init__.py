"""The method: actions as pixels and heights. One file per idea, in the order in which a forward pass meets them.

`start_keypoint` (where the arm is now) -> `heads` (features to logits) -> `targets` (demonstrations to classes) ->
`losses` (the paper's equations) -> `decoding` (logits to a lifted chunk); `bins` turns values into classes and back.
"""
