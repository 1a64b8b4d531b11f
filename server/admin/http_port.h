#ifndef RLS_ADMIN_HTTP_PORT_H_
#define RLS_ADMIN_HTTP_PORT_H_

#include <httplib.h>

#include <string>
#include <thread>

#include "absl/status/status.h"

namespace rls {

// One listening HTTP port and the threads that serve it: one for each open
// connection, up to a bound; connections beyond it wait for their turn.
class HttpPort {
 public:
  HttpPort();
  ~HttpPort();  // stops it
  HttpPort(const HttpPort&) = delete;
  HttpPort& operator=(const HttpPort&) = delete;

  // Give it all handlers before Listen().
  httplib::Server& server() { return server_; }

  // `address` is HOST:PORT, an IPv6 host in brackets; port 0 takes a free one.
  // Failure: UNAVAILABLE, with the address.
  absl::Status Listen(const std::string& address);
  const std::string& address() const { return address_; }

 private:
  int Bind(const std::string& host, int port);

  httplib::Server server_;
  int listener_ = -1;  // the server's socket
  std::string address_;
  std::thread thread_;
};

enum class Body { kNone, kRead, kUnsafe };

// What follows the head of a request. kRead: a body that the library reads.
// kUnsafe: one that it may leave unread, by the request's method or for a wrong
// type or encoding; it would then take it for a next request, and a client
// whose request a gateway passes on could write requests of the gateway's own.
// Answer such a request by RefuseAndClose().
Body BodyOf(const httplib::Request& request);

// Answers 400 and ends the connection, so that nothing more of it is read. Of a
// HEAD, which has no body to fail, only the gateway is told to end it.
void RefuseAndClose(httplib::Response& response);

}  // namespace rls

#endif  // RLS_ADMIN_HTTP_PORT_H_
