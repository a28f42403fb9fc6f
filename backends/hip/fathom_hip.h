/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FATHOM_HIP_H
#define FATHOM_HIP_H

#include <stddef.h>
#include <stdint.h>

/* fathom's flash-attention kernel, callable from C: o = softmax(scale q k^T + mask) v and its
 * gradients. Link libfathom_hip.so.
 *
 * Every function that can fail returns a status and leaves a sentence in fathom_hip_last_error().
 * All calls may come from any number of threads at once. Nothing is allocated on a device and
 * nothing is waited for: on a GPU the kernels are put into the given stream. */

#define FATHOM_HIP_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTBEGIN(readability-identifier-naming): names as C has them. */

typedef enum fathom_hip_status {
  FATHOM_HIP_OK = 0,
  FATHOM_HIP_BAD_ARGUMENT = 1, /* Nothing was started. */
  FATHOM_HIP_ABSENT = 2,       /* The platform is not in this build, or has no device here. */
  FATHOM_HIP_FAILED = 3        /* The platform refused, or its emulation raised an alarm. */
} fathom_hip_status;

/* Where a call runs; all pointers of the call are the platform's. */
typedef enum fathom_hip_platform {
  FATHOM_HIP_HOST64 = 0, /* Host memory: emulates AMD's matrix units, and checks every access. */
  FATHOM_HIP_HOST32 = 1, /* Host memory: emulates NVIDIA's. */
  FATHOM_HIP_NVIDIA = 2, /* The current CUDA device, sm_80 or later. */
  FATHOM_HIP_AMD = 3     /* The current HIP device, gfx90a or gfx942. */
} fathom_hip_platform;

typedef enum fathom_hip_dtype { FATHOM_HIP_BF16 = 0, FATHOM_HIP_F16 = 1 } fathom_hip_dtype;

/* Bits of `causal`: query i of n_q sees keys up to i + n_k - n_q, or up to i. */
enum { FATHOM_HIP_CAUSAL_BOTTOM_RIGHT = 1, FATHOM_HIP_CAUSAL_TOP_LEFT = 2 };

/* Rows of head_dim neighbouring channels; of one number each for lse and dlse. The row of token t
 * (counted over all sequences), head h and sequence b begins at element
 *     t * token_stride + h * head_stride + b * sequence_stride.
 * Packed (tokens, heads, channels): sequence_stride is 0. Dense with s tokens a sequence:
 * sequence_stride is the distance of two sequences less s * token_stride, which the tokens count
 * already. Strides are in elements. Of 16-bit tensors data is aligned to 16 bytes, strides are
 * multiples of 8, and the token stride is at most 2^22. */
typedef struct fathom_hip_tensor {
  void* data;
  int64_t token_stride;
  int64_t head_stride;
  int64_t sequence_stride;
} fathom_hip_tensor;

/* One attention. Set it to zero, then both windows to -1, then what is needed. */
typedef struct fathom_hip_attention {
  fathom_hip_dtype dtype; /* Of q, k, v, o, dout, dq, dk, dv. */
  int32_t head_dim;       /* 64, 96, 128 or 256; of v too. */
  int32_t query_heads;    /* A multiple of kv_heads. */
  int32_t kv_heads;
  float softmax_scale; /* Above 0. */

  int32_t sequences;           /* At least 1. */
  int32_t query_tokens;        /* Rows of q; those behind the last sequence are not touched. */
  int32_t key_tokens;          /* Rows of k and v. */
  const int32_t* cu_seqlens_q; /* sequences + 1 first tokens, never falling, the last at most */
  const int32_t* cu_seqlens_k; /* the number of tokens; those of the keys begin with 0. */
  const int32_t* used_q; /* Tokens of each sequence that take part, from its first; null: all. */
  const int32_t* used_k; /* Rows that take no part are not touched. */

  /* A key is seen if every one of these lets it through: causal with prefix_lens is causal. */
  const int32_t* prefix_lens; /* PrefixLM: query i sees keys below max(prefix, own place + 1). */
  int32_t causal;             /* Bits, see above; 0: not causal. */
  int32_t window_left;        /* Keys seen to the left of a query's own place; -1: all. */
  int32_t window_right;       /* To the right; its own place is i + n_k - n_q. */

  fathom_hip_tensor q, k, v;
  fathom_hip_tensor o;   /* Forward writes it, backward reads it. */
  fathom_hip_tensor lse; /* float, natural logarithm, -infinity where no key is seen. Forward writes
                            it if data is not null; backward needs it. */
  fathom_hip_tensor dout;
  fathom_hip_tensor dlse; /* float; null data: no gradient comes by the LSE. */
  fathom_hip_tensor dq, dk, dv;
} fathom_hip_attention;

/* NOLINTEND(readability-identifier-naming) */

/* Writes o, and lse if it is asked for. `stream` is a cudaStream_t or hipStream_t; null on hosts.
 */
FATHOM_HIP_API fathom_hip_status fathom_hip_forward(fathom_hip_platform platform,
                                                    const fathom_hip_attention* attention,
                                                    void* stream);

/* Writes dq, dk and dv, with the same bits in every run. */
FATHOM_HIP_API fathom_hip_status fathom_hip_backward(fathom_hip_platform platform,
                                                     const fathom_hip_attention* attention,
                                                     void* workspace, size_t workspace_bytes,
                                                     void* stream);

/* What a backward of this attention needs beside its tensors, aligned to 16 bytes. */
FATHOM_HIP_API size_t fathom_hip_workspace_bytes(const fathom_hip_attention* attention);

/* Why this process cannot use the platform, a sentence; null if it can. */
FATHOM_HIP_API const char* fathom_hip_why_absent(fathom_hip_platform platform);

/* What the last call of this thread that failed has to say; empty if none has. */
FATHOM_HIP_API const char* fathom_hip_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
