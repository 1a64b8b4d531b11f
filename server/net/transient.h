#ifndef RLS_NET_TRANSIENT_H_
#define RLS_NET_TRANSIENT_H_

#include <cerrno>

namespace rls {

// Whether this errno of a socket that never blocks says only: not now.
inline bool IsTransient(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace rls

#endif  // RLS_NET_TRANSIENT_H_
