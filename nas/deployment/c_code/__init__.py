"""Networks as C99: kernels (`kernels/`), who is compiled for what (`targets/`), and the passes from an integer network
to source files.

A kernel set is one file of `kernels/`: `static inline` functions of the structs in operators.h, whose first lines say
what they may rely on. portable.h has all of them; another set defines `NN_OWN_<FUNCTION>` for those that it brings and
stands in front of portable.h in its target's list. A kernel needs no memory beside its operands, but for the plane that
a depthwise convolution in place is given.
"""
