"""The recurrent layers on CUDA: torch's own ones (cuDNN) where the equations agree, kernels in Triton for all cells.

Not yet run on a GPU: the kernels are tested in Triton's interpreter and compiled for Hopper, torch's own layers on a
CPU. Triton is imported only when a sequence lies on CUDA.
"""
