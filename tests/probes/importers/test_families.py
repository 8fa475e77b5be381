"""The family of a layer, from the names that tools give to operations, layers and kernels."""

from __future__ import annotations

import pytest

from probes.importers.families import FAMILIES, HEAVIEST, family_of


@pytest.mark.parametrize(
    ("family", "names"),
    [
        (
            "quantize",
            (
                "QuantizeLinear_2_quantize_scale_node /conv1/input_quantizer/QuantizeLinear "
                "w_DequantizeLinear"
            ),
        ),
        (
            "attention",
            "fmha_cutlassF_f16_aligned_64x64_rf_sm80 flash_fwd_kernel MultiHeadAttention_3",
        ),
        (
            "convolution",
            (
                "sm80_xmma_fprop_implicit_gemm_f16f16 winogradForwardData4x4 "
                "volta_scudnn_128x64_relu conv2d"
            ),
        ),
        (
            "convolution",
            (
                "CaskConvolution CaskDeconvolutionV2 FusedConv implicit_convolve_sgemm "
                "quantized_conv Conv_0"
            ),
        ),
        ("convolution", "volta_fp16_s884cudnn_fp16_128x128_ldg8"),
        ("softmax", "cunn_SoftMaxForward SoftMaxV2 softmax_warp_forward"),
        (
            "normalisation",
            (
                "layer_norm batch_norm vectorized_layer_norm_kernel BatchNorm_3 "
                "SkipLayerNormalization_1"
            ),
        ),
        ("pooling", "max_pool_forward_nchw CaskPooling"),
        ("image", "upsample_bilinear2d_out_frame Resize_4"),
        (
            "matmul",
            (
                "ampere_sgemm_128x64_tn gemv2T_kernel_val cutlass_80_tensorop_s1688gemm "
                "FullyConnected fc1 MatMul_7"
            ),
        ),
        ("matmul", "MatrixMultiply linear_relu nvjet_hsh_128x256 splitKreduce_kernel"),
        ("activation", "PReLU_1 leakyrelu GeLU silu_kernel PWN(PWN(Sigmoid_2),Mul_3)"),
        ("elementwise", "vectorized_elementwise_kernel PointWiseV2 __myl_AddMul_myl0_3 Add_6"),
        (
            "movement",
            "Padding PaddedTranspose nchwToNhwcKernel CatArrayBatchedCopy ConvertTranspose NoOp",
        ),
        ("", "kgen Custom address multiple"),
    ],
)
def test_a_name_has_the_family_of_its_words(family: str, names: str) -> None:
    families = {name: family_of(name) for name in names.split()}
    assert families == dict.fromkeys(names.split(), family)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("w1 + QuantizeLinear_7_quantize_scale_node + Conv_9 + Relu_10", "convolution"),
        ("{ForeignNode[/enc/MatMul.../enc/Softmax]}", "matmul"),
        ("{ForeignNode[/enc/Unsqueeze_3 + /enc/Unsqueeze_4.../enc/Softmax]}", "softmax"),
        ("/conv1/Relu + /conv1/Reshape", "activation"),
    ],
)
def test_a_fused_layer_has_the_family_of_its_heaviest_part(name: str, family: str) -> None:
    assert family_of(name) == family


def test_every_family_has_its_weight() -> None:
    assert sorted(HEAVIEST) == sorted(FAMILIES)
