// SPDX-License-Identifier: Apache-2.0
#include "harness/codec/json.h"
#include "harness/protocol/frame.h"
#include "harness/protocol/messages.h"
#include "harness/protocol/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <functional>

namespace fathom {
namespace {

Problem some_problem() {
  return parse_problem(
      "dir=fwd+bwd dtype=bf16 layout=thd hq=4 hkv=2 d=16 dv=8 seqs=3x5,7 mask=full");
}

std::array<UniqueFd, 2> channel() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

TEST(FrameTest, ArriveWholeInWhateverPiecesTheyCome) {
  auto [a, b] = channel();
  send_frame(a.get(), "{\"x\":1}");
  send_frame(a.get(), std::string(100000, 'y'));
  a.reset();
  FrameBuffer buffer;
  UniqueFd passed;
  std::vector<std::string> frames;
  while (receive_some(b.get(), buffer, passed)) {
    while (auto frame = buffer.next()) frames.push_back(*frame);
  }
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0], "{\"x\":1}");
  EXPECT_EQ(frames[1].size(), 100000U);
}

TEST(FrameTest, OneByteAtATime) {
  FrameBuffer buffer;
  const std::string bytes = std::string("\x02\x00\x00\x00", 4) + "{}";
  for (const char c : bytes.substr(0, bytes.size() - 1)) {
    buffer.append({&c, 1});
    EXPECT_FALSE(buffer.next());
  }
  buffer.append("}");
  EXPECT_EQ(buffer.next(), "{}");
}

TEST(FrameTest, AnImpossibleLengthIsRefusedBeforeItsBytesCome) {
  FrameBuffer buffer;
  buffer.append(std::string("\xff\xff\xff\x7f", 4));
  EXPECT_THROW(buffer.next(), ProtocolError);
}

TEST(FrameTest, ADescriptorTravelsBesideAFrame) {
  auto [a, b] = channel();
  SharedMemory memory(4096);
  const std::array<std::byte, 3> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
  memory.write(10, bytes);
  send_frame(a.get(), "{}", memory.fd());
  FrameBuffer buffer;
  UniqueFd passed;
  ASSERT_TRUE(receive_some(b.get(), buffer, passed));
  ASSERT_TRUE(passed);
  const Mapping mapping(passed.get(), 4096);
  EXPECT_EQ(mapping.bytes()[12], std::byte{3});
  mapping.bytes()[12] = std::byte{9};
  std::array<std::byte, 1> back{};
  memory.read(12, back);
  EXPECT_EQ(back[0], std::byte{9});
}

TEST(FrameTest, SendingToADeadPeerIsAnExceptionAndNoSignal) {
  auto [a, b] = channel();
  b.reset();
  EXPECT_THROW(send_frame(a.get(), "{}"), ChannelClosed);
}

PrepareRequest some_prepare() {
  PrepareRequest request{"eigen", "native", some_problem(), 1 << 20, {}, {}};
  Index at = 0;
  for (const TensorSpec& spec : input_specs(request.problem)) {
    request.inputs.push_back({spec, at});
    at += 4096;
  }
  for (const TensorSpec& spec : output_specs(request.problem)) {
    request.outputs.push_back({spec, at});
    at += 4096;
  }
  return request;
}

TEST(MessagesTest, PrepareReadsBackAsItWasWritten) {
  const PrepareRequest request = some_prepare();
  const PrepareRequest back = read_prepare_request(to_json(request));
  EXPECT_EQ(back.problem, request.problem);
  ASSERT_EQ(back.outputs.size(), request.outputs.size());
  EXPECT_EQ(back.outputs[3].spec, request.outputs[3].spec);
  EXPECT_EQ(back.outputs[3].offset, request.outputs[3].offset);
}

ExecuteAnswer some_answer() {
  return {{{TensorName::o, Transport::in_place},
           {TensorName::lse, Transport::not_given},
           {TensorName::dq, Transport::copied},
           {TensorName::dk, Transport::copied},
           {TensorName::dv, Transport::copied}},
          1.5};
}

TEST(MessagesTest, ExecuteReadsBackAsItWasWritten) {
  const Problem problem = some_problem();
  const ExecuteAnswer back = read_execute_answer(to_json(some_answer(), problem), problem);
  EXPECT_EQ(back.outputs, some_answer().outputs);
  EXPECT_EQ(back.first_call_ns, 1.5);
}

struct Spoiled {
  std::string what;
  std::function<void(Json&)> spoil;
};

TEST(MessagesTest, APrepareThatDoesNotFitItsProblemIsRefused) {
  const std::vector<Spoiled> all{
      {"shape", [](Json& j) { j["inputs"][0]["shape"][0] = 99; }},
      {"dtype", [](Json& j) { j["inputs"][0]["dtype"] = "f8"; }},
      {"name", [](Json& j) { j["outputs"][0]["name"] = "q"; }},
      {"fewer", [](Json& j) { j["outputs"].erase(0); }},
      {"outside", [](Json& j) { j["outputs"][0]["offset"] = 1 << 20; }},
      {"negative", [](Json& j) { j["inputs"][0]["offset"] = -256; }},
      {"unaligned", [](Json& j) { j["inputs"][0]["offset"] = 8; }},
      {"overflow", [](Json& j) { j["inputs"][0]["offset"] = 9223372036854775552LL; }},
      {"problem", [](Json& j) { j["problem"]["hkv"] = 3; }},
      {"no lowering", [](Json& j) { j.erase("lowering"); }},
  };
  for (const Spoiled& spoiled : all) {
    Json json = to_json(some_prepare());
    spoiled.spoil(json);
    EXPECT_THROW(read_prepare_request(json), ProtocolError) << spoiled.what;
  }
}

TEST(MessagesTest, AnExecuteAnswerThatLiesIsRefused) {
  const std::vector<Spoiled> all{
      {"bytes", [](Json& j) { j["outputs"]["o"]["bytes"] = 1; }},
      {"transport", [](Json& j) { j["outputs"]["o"]["transport"] = "teleported"; }},
      {"missing", [](Json& j) { j["outputs"].erase("dq"); }},
      {"surplus", [](Json& j) { j["outputs"]["x"] = j["outputs"]["o"]; }},
      {"bytes of nothing", [](Json& j) { j["outputs"]["lse"]["bytes"] = 4; }},
      {"negative time", [](Json& j) { j["first_call_ns"] = -1; }},
      {"null time", [](Json& j) { j["first_call_ns"] = nullptr; }},
      {"a list",
       [](Json& j) {
         j["outputs"] = Json::array({1, 2, 3, 4, 5});
       }},
  };
  for (const Spoiled& spoiled : all) {
    Json json = to_json(some_answer(), some_problem());
    spoiled.spoil(json);
    EXPECT_THROW(read_execute_answer(json, some_problem()), ProtocolError) << spoiled.what;
  }
}

TEST(MessagesTest, TimesAndMemoryMustBeFiniteNumbersOrHaveAReason) {
  EXPECT_EQ(read_time_reply(to_json(TimeReply{"cpu", {1, 2}, ""}), 2).samples_ns.size(), 2U);
  EXPECT_THROW(read_time_reply(to_json(TimeReply{"cpu", {1, 2, 3}, ""}), 2), ProtocolError);
  EXPECT_THROW(read_time_reply(to_json(TimeReply{"cpu", {}, ""}), 2), ProtocolError);
  EXPECT_THROW(read_time_reply(to_json(TimeReply{"cpu", {-1}, ""}), 2), ProtocolError);
  EXPECT_THROW(read_memory_reply(to_json(MemoryUse{std::nullopt, "", "", 0})), ProtocolError);
  EXPECT_EQ(read_memory_reply(to_json(MemoryUse{Index{7}, "resident", "", 3})).peak_bytes, 7);
  EXPECT_EQ(read_memory_reply(to_json(MemoryUse{std::nullopt, "", "no counter", 0})).reason,
            "no counter");
}

TEST(MessagesTest, ARefusalNeedsACodeAndASentence) {
  EXPECT_THROW(read_support_answer(to_json(SupportAnswer{false, "", "because"})), ProtocolError);
  EXPECT_THROW(read_support_answer(to_json(SupportAnswer{false, "dtype", ""})), ProtocolError);
  EXPECT_TRUE(read_support_answer(to_json(SupportAnswer{true, "", ""})).supported);
}

TEST(MessagesTest, AnotherProtocolVersionIsNamed) {
  try {
    read_hello_answer(to_json(HelloAnswer{"w", 2, {}}));
    FAIL();
  } catch (const ProtocolError& e) {
    EXPECT_NE(std::string(e.what()).find("protocol 2"), std::string::npos);
  }
}

}  // namespace
}  // namespace fathom
