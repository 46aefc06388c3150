"""What each group of operators loses alone, measured, and the integer program on the sum.

Source: HAWQ-V3's program (arXiv 2011.10680) on the sensitivity that Intel Neural Compressor, TensorRT's ModelOpt and
Mix-QViT (arXiv 2501.06357) measure: one operator at a time in few bits, all others as they were.
"""

from nas.quantization.policies.integer_program import allocate
from nas.quantization.policies.task import Choice, Task


def find(task: Task) -> Choice:
    """One evaluation for each group and width. `Infeasible` where nothing is within the limits."""
    return allocate(task.options, task.one_at_a_time())


POLICY = find
