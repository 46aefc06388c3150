"""Networks in few bits: which operators get how many, ranges of activations, scores, and the integers themselves."""
