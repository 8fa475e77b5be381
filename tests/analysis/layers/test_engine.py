"""Kernels of TensorRT by their names, and what is told of engines."""

from __future__ import annotations

import pytest

from analysis.layers.engine import uses_tensor_cores


@pytest.mark.parametrize(
    ("tactic", "expected"),
    [
        ("volta_h884cudnn_256x64_ldg8_relu_exp_small_nhwc_tn_v1", True),
        ("turing_fp16_s1688cudnn_fp16_128x128_ldg8_relu_f2f_exp_medium_nhwc_tn_v1", True),
        ("ampere_h16816cudnn_128x64_ldg8_relu_interior_nhwc_tn_v1", True),
        ("trt_turing_int8_i8816cudnn_int8_256x128_ldg16_relu_singleBuffer_medium_nt_v1", True),
        ("sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tensor16x8x16", True),
        ("sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_tensor16x8x32", True),
        ("sm90_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_warpgroupsize1x1x1_g1", True),
        ("cutlass_80_tensorop_f16_s16816gemm_f16_128x128_32x5_nn_align8", True),
        ("nvjet_hsh_128x256_64x4_1x2_h_bz_coopA_NNT", True),
        ("maxwell_scudnn_128x64_relu_small_nn_v1", False),
        ("ampere_sgemm_32x32_sliced1x4_nn", False),
        ("trt_volta_fp32_icudnn_int8x4_128x128_relu_interior_c4_nn_v1", False),
        ("sm80_xmma_gemm_f32f32_f32f32_f32_nn_n_tilesize32x32x8_stage3_warpsize1x2x1_ffma", False),
        ("cuda_depthwise::depthwise_convolution", False),
        ("", None),
        ("__myl_MaxSubExpSum_0x1234", None),
        ("CaskConvolution", None),
    ],
)
def test_names_of_kernels_tell_of_tensor_cores(tactic: str, expected: bool | None) -> None:
    assert uses_tensor_cores(tactic) is expected
