// How nghttp2 and a session are connected: the callbacks and the settings.

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <iterator>

#include "rpc/lean/h2_session.h"
#include "rpc/rpc_server.h"

namespace rls {

struct H2Session::Callbacks {
  static H2Session& Of(void* user) { return *static_cast<H2Session*>(user); }
  static absl::string_view View(const uint8_t* bytes, size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
  }

  static bool IsGoAwayAck(const nghttp2_frame& frame) {
    return (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
           std::equal(std::begin(kGoAwayPing), std::end(kGoAwayPing),
                      frame.ping.opaque_data);
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame,
                            void* user) {
    H2Session& session = Of(user);
    session.header_bytes_ = 0;
    session.reading_ = nullptr;  // Trailers are ignored.
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    return session.BeginRequest(frame->hd.stream_id);
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame,
                      const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t,
                      void* user) {
    H2Session& session = Of(user);
    if (!session.TakeHeaderBytes(frame->hd.stream_id, name_size + value_size)) {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
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

  // After the answer to a request that is too large or late, stops the rest of
  // the request by a reset (RFC 9113 section 8.1). An earlier reset would
  // discard the unsent answer.
  static int OnSent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const auto type = frame->hd.type;
    H2Session& session = Of(user);
    if (type == NGHTTP2_RST_STREAM &&
        frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM) {
      session.dependencies_.report.CallRefused(Bound::kStreams,
                                               session.dependencies_.peer);
    }
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) return 0;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
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
  // The budget for frames is the stricter bound.
  nghttp2_option_set_stream_reset_rate_limit(option, FrameBudget::kBurst,
                                             FrameBudget::kPerSecond);
  nghttp2_option_set_max_outbound_ack(option, kMaxAcks);
  nghttp2_option_set_max_settings(option, kMaxSettings);
  nghttp2_session* made = nullptr;
  RequireH2(nghttp2_session_server_new3(&made, callbacks, &session, option,
                                        session.dependencies_.memory.mem()));
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxMetadataBytes},
      // Without this a client could make the library reorder all its streams.
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
  RequireH2(nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings,
                                    std::size(settings)));
  RequireH2(nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0,
                                                  kWindowBytes));
  return made;
}

}  // namespace rls
