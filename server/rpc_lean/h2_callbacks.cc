// What nghttp2 calls, and how a session of it is made.

#include <nghttp2/nghttp2.h>

#include <iterator>

#include "absl/strings/string_view.h"
#include "rpc/rpc_server.h"
#include "rpc_lean/h2_require.h"
#include "rpc_lean/h2_session.h"

namespace rls {
namespace {

bool IsGoAwayAck(const nghttp2_frame& frame) {
  return (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
         absl::string_view(
             reinterpret_cast<const char*>(frame.ping.opaque_data), 8) ==
             absl::string_view(reinterpret_cast<const char*>(kGoAwayPing), 8);
}

}  // namespace

struct H2Session::Callbacks {
  static H2Session& Of(void* user) { return *static_cast<H2Session*>(user); }
  static absl::string_view View(const uint8_t* bytes, size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame,
                            void* user) {
    H2Session& session = Of(user);
    session.reading_ = nullptr;  // Trailers are of no interest.
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    return session.BeginRequest(frame->hd.stream_id);
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame*,
                      const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t,
                      void* user) {
    H2Session& session = Of(user);
    if (session.reading_ == nullptr) return 0;
    session.AddHeader(View(name, name_size), View(value, value_size));
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Session& session = Of(user);
    const auto type = frame->hd.type;
    if (type == NGHTTP2_SETTINGS) session.greeted_ = true;
    if (type == NGHTTP2_PING && IsGoAwayAck(*frame)) session.GoAway();
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) return 0;
    Call* const call = session.Find(frame->hd.stream_id);
    if (call == nullptr) return 0;
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (last) session.EndRequest(*call);
    if (type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      session.EndHeaders(*call);
    }
    if (last && !call->finished_) session.MarkReady(*call);
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t stream_id,
                    const uint8_t* bytes, size_t size, void* user) {
    H2Session& session = Of(user);
    Call* const call = session.Find(stream_id);
    if (call != nullptr) session.AddData(*call, View(bytes, size));
    return 0;
  }

  // The rest of a request that is too large or late is not wanted, as RFC 9113
  // section 8.1 has it. Not before, as a reset overtakes what is to be sent.
  static int OnSent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const auto type = frame->hd.type;
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) return 0;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    H2Session& session = Of(user);
    Call* const call = session.Find(frame->hd.stream_id);
    if (call != nullptr && call->stop_ && !call->request_ended_) {
      session.Reset(call->stream_id_, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static int OnClose(nghttp2_session*, int32_t stream_id, uint32_t,
                     void* user) {
    H2Session& session = Of(user);
    Call* const call = session.Find(stream_id);
    if (call != nullptr) session.Close(*call);
    return 0;
  }
};

nghttp2_session* H2Session::NewSession(H2Session& session) {
  nghttp2_session_callbacks* callbacks = nullptr;
  RequireH2(nghttp2_session_callbacks_new(&callbacks));
  nghttp2_session_callbacks_set_on_begin_headers_callback(
      callbacks, Callbacks::OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks,
                                                   Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                       Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                            Callbacks::OnData);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks,
                                                       Callbacks::OnSent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                         Callbacks::OnClose);
  nghttp2_option* option = nullptr;
  RequireH2(nghttp2_option_new(&option));
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_stream_reset_rate_limit(option, kResetBurst, kResetRate);
  nghttp2_option_set_max_outbound_ack(option, kMaxAcks);
  nghttp2_option_set_max_settings(option, kMaxSettings);
  nghttp2_session* made = nullptr;
  RequireH2(nghttp2_session_server_new3(&made, callbacks, &session, option,
                                        session.parts_.memory.mem()));
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxMetadataBytes}};
  RequireH2(nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings,
                                    std::size(settings)));
  RequireH2(nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0,
                                                  kWindowBytes));
  return made;
}

}  // namespace rls
