/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/hip/fathom_hip.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The C interface from C: both host platforms against a dense evaluation in double that is written
 * here anew, and what is refused. */

enum { most_sequences = 4 };

/* One question: lengths, heads and a mask; tensors are packed, or dense with all lengths equal. */
typedef struct {
  const char* name;
  fathom_hip_dtype dtype;
  int dim, query_heads, kv_heads;
  int sequences, queries[most_sequences], keys[most_sequences];
  int prefix[most_sequences]; /* -1 in the first: no prefix_lm. */
  int causal, left, right;
  int heads_first; /* Dense (sequence, head, token, channel), packed lse (head, token). */
} question;

static const question questions[] = {
    {"prefix, packed",
     FATHOM_HIP_BF16,
     64,
     4,
     2,
     3,
     {70, 0, 33},
     {70, 5, 33},
     {31, 2, 33},
     0,
     -1,
     -1,
     0},
    {"bottom right", FATHOM_HIP_F16, 96, 2, 1, 2, {20, 90}, {60, 40}, {-1}, 1, -1, -1, 0},
    {"top left, window", FATHOM_HIP_BF16, 128, 2, 2, 2, {50, 50}, {50, 50}, {-1}, 2, 9, 4, 1},
    {"prefix and window", FATHOM_HIP_F16, 256, 1, 1, 1, {40}, {48}, {30}, 0, 20, 12, 0},
};

static int failures = 0;

static void fail(const char* name, const char* what, double seen, double wanted, double bound) {
  if (++failures <= 10) {
    printf("%s: %s is %.9g; %.9g is right, to within %.3g\n", name, what, seen, wanted, bound);
  }
}

/* Numbers of 16 bits. */

static int precision(fathom_hip_dtype dtype) {
  return dtype == FATHOM_HIP_BF16 ? 8 : 11;
}

/* A multiple of 1/16 from -1 to 1, which both types hold exactly. */
static double draw(uint32_t* state) {
  *state = *state * 1664525u + 1013904223u;
  return ((int)(*state >> 16) % 33 - 16) / 16.0;
}

static uint16_t encode(fathom_hip_dtype dtype, double x) {
  if (x == 0) return 0;
  int exponent;
  const int bits = precision(dtype) - 1;
  const double fraction = frexp(fabs(x), &exponent); /* 0.5 .. 1 */
  const int mantissa = (int)ldexp(2 * fraction - 1, bits);
  const int bias = dtype == FATHOM_HIP_BF16 ? 127 : 15;
  return (uint16_t)((x < 0) << 15 | (exponent - 1 + bias) << bits | mantissa);
}

static double decode(fathom_hip_dtype dtype, uint16_t word) {
  const int bits = precision(dtype) - 1;
  const int bias = dtype == FATHOM_HIP_BF16 ? 127 : 15;
  const int exponent = (word & 0x7fff) >> bits;
  const double fraction = ldexp(word & ((1 << bits) - 1), -bits);
  const double size =
      exponent == 0 ? ldexp(fraction, 1 - bias) : ldexp(1 + fraction, exponent - bias);
  return (word & 0x8000) != 0 ? -size : size;
}

/* Tensors: the numbers in double as (token, head, channel), and the same in the layout asked for.
 */

typedef struct {
  double* numbers;
  fathom_hip_tensor tensor;
  int tokens, heads, channels, length; /* Tokens of a dense sequence. */
} operand;

static int64_t element(const operand* o, int sequence, int token, int head, int channel) {
  return token * o->tensor.token_stride + head * o->tensor.head_stride +
         sequence * o->tensor.sequence_stride + channel;
}

static operand make_operand(const question* q, int tokens, int heads, int channels, uint32_t seed) {
  const size_t count = (size_t)tokens * (size_t)heads * (size_t)channels;
  operand o = {calloc(count, sizeof(double)), {0}, tokens, heads, channels, tokens / q->sequences};
  const size_t bytes = count * (channels == 1 ? sizeof(float) : sizeof(uint16_t));
  o.tensor.data = aligned_alloc(64, (bytes + 63) / 64 * 64);
  memset(o.tensor.data, 0xff, bytes); /* NaN, should it stay. */
  o.tensor.token_stride = (int64_t)heads * channels;
  o.tensor.head_stride = channels;
  if (q->heads_first) {
    o.tensor.token_stride = channels;
    o.tensor.head_stride = (int64_t)o.length * channels;
    o.tensor.sequence_stride = (int64_t)o.length * channels * (heads - 1);
  }
  for (size_t i = 0; seed != 0 && i < count; ++i) {
    o.numbers[i] = draw(&seed);
    const int head = (int)(i / (size_t)channels) % heads;
    const int token = (int)(i / (size_t)channels) / heads;
    const int sequence = q->heads_first ? token / o.length : 0;
    const int64_t at = element(&o, sequence, token, head, (int)(i % (size_t)channels));
    if (channels == 1) {
      ((float*)o.tensor.data)[at] = (float)o.numbers[i];
    } else {
      ((uint16_t*)o.tensor.data)[at] = encode(q->dtype, o.numbers[i]);
    }
  }
  return o;
}

static void release(operand* o) {
  free(o->numbers);
  free(o->tensor.data);
}

static double* row(const operand* o, int token, int head) {
  return o->numbers + ((size_t)token * (size_t)o->heads + (size_t)head) * (size_t)o->channels;
}

static double dot(const double* a, const double* b, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/* The dense evaluation. `right` is what is right, `bound` how far rounding may lead from it: u =
 * 2^-precision for P or dS as an operand, and u for the result; delta takes the rounded O. What
 * fp32 adds is far below `slack` of the sum of all sizes. */
typedef struct {
  operand right, bound;
} judged;

typedef struct {
  operand q, k, v, dout, dlse;
  judged o, lse, dq, dk, dv;
} attention;

static int sees(const question* q, int sequence, int i, int j) {
  const int own = i + q->keys[sequence] - q->queries[sequence];
  if (q->prefix[0] >= 0 && j > own && j >= q->prefix[sequence]) return 0;
  if ((q->causal & 1) != 0 && j > own) return 0;
  if ((q->causal & 2) != 0 && j > i) return 0;
  return (q->left < 0 || own - j <= q->left) && (q->right < 0 || j - own <= q->right);
}

static void add(double* to, const double* from, double factor, int count) {
  for (int i = 0; i < count; ++i) to[i] += factor * from[i];
}

static void add_size(double* to, const double* from, double factor, int count) {
  for (int i = 0; i < count; ++i) to[i] += factor * fabs(from[i]);
}

/* One query row of one head: P, O, LSE, then what it adds to the gradients. */
static void evaluate_row(const question* q, attention* a, int sequence, int i, int query, int key,
                         int head) {
  const int d = q->dim;
  const int keys = q->keys[sequence];
  const int kv = head / (q->query_heads / q->kv_heads);
  const double scale = 1 / sqrt(d);
  const double u = ldexp(1, -precision(q->dtype));
  const double slack = ldexp(1, -17);
  double* p = calloc((size_t)keys + 1, sizeof(double));
  double most = -INFINITY;
  double sum = 0;
  for (int j = 0; j < keys; ++j) {
    p[j] = sees(q, sequence, i, j)
               ? scale * dot(row(&a->q, query, head), row(&a->k, key + j, kv), d)
               : -INFINITY;
    most = fmax(most, p[j]);
  }
  for (int j = 0; j < keys; ++j) sum += p[j] = most == -INFINITY ? 0 : exp(p[j] - most);
  *row(&a->lse.right, query, head) = most + log(sum);
  *row(&a->lse.bound, query, head) = slack * (1 + fabs(most));
  double* o = row(&a->o.right, query, head);
  double* o_bound = row(&a->o.bound, query, head);
  for (int j = 0; j < keys; ++j) {
    if (sum > 0) p[j] /= sum;
    add(o, row(&a->v, key + j, kv), p[j], d);
    add_size(o_bound, row(&a->v, key + j, kv), (u + slack) * p[j], d);
  }
  add_size(o_bound, o, u, d);
  const double* dout = row(&a->dout, query, head);
  const double delta = dot(o, dout, d) - *row(&a->dlse, query, head);
  double delta_bound = 0;
  for (int c = 0; c < d; ++c) delta_bound += o_bound[c] * fabs(dout[c]);
  for (int j = 0; j < keys; ++j) {
    const double ds = p[j] * (dot(dout, row(&a->v, key + j, kv), d) - delta);
    const double ds_bound = (u + slack) * fabs(ds) + p[j] * (delta_bound + slack * d);
    add(row(&a->dv.right, key + j, kv), dout, p[j], d);
    add_size(row(&a->dv.bound, key + j, kv), dout, (u + slack) * p[j], d);
    add(row(&a->dk.right, key + j, kv), row(&a->q, query, head), scale * ds, d);
    add_size(row(&a->dk.bound, key + j, kv), row(&a->q, query, head), scale * ds_bound, d);
    add(row(&a->dq.right, query, head), row(&a->k, key + j, kv), scale * ds, d);
    add_size(row(&a->dq.bound, query, head), row(&a->k, key + j, kv), scale * ds_bound, d);
  }
  free(p);
}

/* The answers of the library. */

static void expect_near(const question* q, const char* what, const judged* j) {
  const operand* o = &j->right;
  const double u = o->channels == 1 ? 0 : ldexp(1, -precision(q->dtype));
  for (int token = 0; token < o->tokens; ++token) {
    for (int i = 0; i < o->heads * o->channels; ++i) {
      const int head = i / o->channels;
      const int64_t at =
          element(o, q->heads_first ? token / o->length : 0, token, head, i % o->channels);
      const double right = row(o, token, head)[i % o->channels];
      const double bound = row(&j->bound, token, head)[i % o->channels] + 1.01 * u * fabs(right);
      const double seen = o->channels == 1 ? (double)((float*)o->tensor.data)[at]
                                           : decode(q->dtype, ((uint16_t*)o->tensor.data)[at]);
      if (seen == right || fabs(seen - right) <= bound + 1e-7) continue;
      fail(q->name, what, seen, right, bound);
    }
  }
}

static judged make_judged(const question* q, int tokens, int heads, int channels) {
  judged j = {make_operand(q, tokens, heads, channels, 0),
              make_operand(q, tokens, heads, channels, 0)};
  return j;
}

static attention make_attention(const question* q, const int* cu_q, const int* cu_k) {
  const int queries = cu_q[q->sequences];
  const int keys = cu_k[q->sequences];
  attention a = {make_operand(q, queries, q->query_heads, q->dim, 1),
                 make_operand(q, keys, q->kv_heads, q->dim, 2),
                 make_operand(q, keys, q->kv_heads, q->dim, 3),
                 make_operand(q, queries, q->query_heads, q->dim, 4),
                 make_operand(q, queries, q->query_heads, 1, 5),
                 make_judged(q, queries, q->query_heads, q->dim),
                 make_judged(q, queries, q->query_heads, 1),
                 make_judged(q, queries, q->query_heads, q->dim),
                 make_judged(q, keys, q->kv_heads, q->dim),
                 make_judged(q, keys, q->kv_heads, q->dim)};
  for (int s = 0; s < q->sequences; ++s) {
    for (int i = 0; i < q->queries[s]; ++i) {
      for (int head = 0; head < q->query_heads; ++head) {
        evaluate_row(q, &a, s, i, cu_q[s] + i, cu_k[s], head);
      }
    }
  }
  return a;
}

static void release_attention(attention* a) {
  operand* all[] = {&a->q,        &a->k,        &a->v,         &a->dout,      &a->dlse,
                    &a->o.right,  &a->o.bound,  &a->lse.right, &a->lse.bound, &a->dq.right,
                    &a->dq.bound, &a->dk.right, &a->dk.bound,  &a->dv.right,  &a->dv.bound};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) release(all[i]);
}

static fathom_hip_attention call_of(const question* q, attention* a, const int* cu_q,
                                    const int* cu_k) {
  fathom_hip_attention call;
  memset(&call, 0, sizeof call);
  call.dtype = q->dtype;
  call.head_dim = q->dim;
  call.query_heads = q->query_heads;
  call.kv_heads = q->kv_heads;
  call.softmax_scale = (float)(1 / sqrt(q->dim));
  call.sequences = q->sequences;
  call.query_tokens = cu_q[q->sequences];
  call.key_tokens = cu_k[q->sequences];
  call.cu_seqlens_q = cu_q;
  call.cu_seqlens_k = cu_k;
  call.prefix_lens = q->prefix[0] >= 0 ? q->prefix : NULL;
  call.causal = q->causal;
  call.window_left = q->left;
  call.window_right = q->right;
  call.q = a->q.tensor;
  call.k = a->k.tensor;
  call.v = a->v.tensor;
  call.dout = a->dout.tensor;
  call.dlse = a->dlse.tensor;
  call.o = a->o.right.tensor;
  call.lse = a->lse.right.tensor;
  call.dq = a->dq.right.tensor;
  call.dk = a->dk.right.tensor;
  call.dv = a->dv.right.tensor;
  return call;
}

static void expect_ok(const question* q, fathom_hip_status status) {
  if (status == FATHOM_HIP_OK) return;
  ++failures;
  printf("%s: status %d: %s\n", q->name, (int)status, fathom_hip_last_error());
}

static void starts_of(const int* lengths, int count, int* starts) {
  starts[0] = 0;
  for (int i = 0; i < count; ++i) starts[i + 1] = starts[i] + lengths[i];
}

/* A question with its tensors, and the call that asks it. */
typedef struct {
  int cu_q[most_sequences + 1];
  int cu_k[most_sequences + 1];
  attention a;
  fathom_hip_attention call;
} asked;

static void ask(const question* q, asked* one) {
  starts_of(q->queries, q->sequences, one->cu_q);
  starts_of(q->keys, q->sequences, one->cu_k);
  one->a = make_attention(q, one->cu_q, one->cu_k);
  one->call = call_of(q, &one->a, one->cu_q, one->cu_k);
}

static void judge(const question* q, fathom_hip_platform platform) {
  asked one;
  ask(q, &one);
  const fathom_hip_attention call = one.call;
  const attention a = one.a;
  const size_t bytes = fathom_hip_workspace_bytes(&call);
  void* workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
  expect_ok(q, fathom_hip_forward(platform, &call, NULL));
  expect_ok(q, fathom_hip_backward(platform, &call, workspace, bytes, NULL));
  expect_near(q, "o", &a.o);
  expect_near(q, "lse", &a.lse);
  expect_near(q, "dq", &a.dq);
  expect_near(q, "dk", &a.dk);
  expect_near(q, "dv", &a.dv);
  free(workspace);
  release_attention(&one.a);
}

/* What is refused: each of these differs in one thing from a call that is not. */

static void expect_refused(const fathom_hip_attention* call, size_t workspace, const char* words) {
  static char room[1 << 16];
  char* const aligned = room + (64 - (uintptr_t)room % 64) % 64;
  const fathom_hip_status status =
      fathom_hip_backward(FATHOM_HIP_HOST64, call, aligned, workspace, NULL);
  if (status == FATHOM_HIP_BAD_ARGUMENT && strstr(fathom_hip_last_error(), words) != NULL) return;
  ++failures;
  printf("status %d where '%s' was to be refused: %s\n", (int)status, words,
         fathom_hip_last_error());
}

#define REFUSED(words, change)                            \
  do {                                                    \
    fathom_hip_attention changed = *call;                 \
    changed.change;                                       \
    expect_refused(&changed, sizeof(float[8192]), words); \
  } while (0)

static void expect_refusals(const fathom_hip_attention* call) {
  static const int falling[] = {0, 40, 20};
  static const int longer[] = {0, 20, 5000};
  static const int beyond[] = {61, 0};
  expect_refused(call, 8, "the workspace has 8 bytes");
  REFUSED("dtype 7", dtype = (fathom_hip_dtype)7);
  REFUSED("head dim 80", head_dim = 80);
  REFUSED("3 query heads cannot share 2", query_heads = 3; changed.kv_heads = 2);
  REFUSED("query heads", kv_heads = 0);
  REFUSED("scale", softmax_scale = 0);
  REFUSED("scale", softmax_scale = NAN);
  REFUSED("sequences", sequences = 0);
  REFUSED("tokens", query_tokens = -1);
  REFUSED("q is null", q.data = NULL);
  REFUSED("dv is null", dv.data = NULL);
  REFUSED("lse is null", lse.data = NULL);
  REFUSED("k is not aligned to 16 bytes", k.data = (char*)changed.k.data + 8);
  REFUSED("lse is not aligned to 4 bytes", lse.data = (char*)changed.lse.data + 2);
  REFUSED("v has a stride of 68", v.token_stride = 68);
  REFUSED("dout has a stride of 4", dout.head_stride = 4);
  REFUSED("o has a token stride", o.token_stride = 1 << 23);
  REFUSED("window side of -2", window_left = -2);
  REFUSED("causal is 4", causal = 4);
  REFUSED("cu_seqlens_q is null", cu_seqlens_q = NULL);
  REFUSED("cu_seqlens_q falls", cu_seqlens_q = falling);
  REFUSED("cu_seqlens_k ends with 5000", cu_seqlens_k = longer);
  REFUSED("cu_seqlens_k does not begin with 0", cu_seqlens_k = falling + 1);
  REFUSED("prefix_lens of sequence 0 is 61", prefix_lens = beyond);
  REFUSED("used_k of sequence 0 is 61", used_k = beyond);
  int mark = 0;
  if (fathom_hip_forward(FATHOM_HIP_HOST32, call, &mark) != FATHOM_HIP_BAD_ARGUMENT ||
      fathom_hip_forward(FATHOM_HIP_HOST32, NULL, NULL) != FATHOM_HIP_BAD_ARGUMENT ||
      fathom_hip_forward((fathom_hip_platform)9, call, NULL) != FATHOM_HIP_BAD_ARGUMENT) {
    ++failures;
    printf("a stream on a host, no attention, or an unknown platform was taken\n");
  }
}

/* GPUs are there or say why not; either way without an error of their own. */
static void expect_gpus_speak(const fathom_hip_attention* call) {
  for (int platform = FATHOM_HIP_NVIDIA; platform <= FATHOM_HIP_AMD; ++platform) {
    const char* why = fathom_hip_why_absent((fathom_hip_platform)platform);
    if (why == NULL) continue;
    if (fathom_hip_forward((fathom_hip_platform)platform, call, NULL) == FATHOM_HIP_ABSENT &&
        strcmp(fathom_hip_last_error(), why) == 0 && strlen(why) > 10) {
      continue;
    }
    ++failures;
    printf("platform %d is absent and does not say so\n", platform);
  }
}

int main(void) {
  const size_t count = sizeof questions / sizeof questions[0];
  for (size_t i = 0; i < count; ++i) {
    judge(&questions[i], FATHOM_HIP_HOST64);
    judge(&questions[i], FATHOM_HIP_HOST32);
  }
  asked one;
  ask(&questions[1], &one);
  expect_refusals(&one.call);
  expect_gpus_speak(&one.call);
  release_attention(&one.a);
  printf("%zu questions on two platforms, %d failures\n", count, failures);
  return failures != 0;
}
