#ifndef RLS_BENCH_SUPPORT_PROCESS_CPU_H_
#define RLS_BENCH_SUPPORT_PROCESS_CPU_H_

namespace rls {

// User and system time of another process so far, all its threads taken
// together, ended ones included; 0 when there is no such process.
//
// Units: seconds, in steps of the kernel's tick, a hundredth of a second.
double CpuSecondsOf(int pid);

double OwnCpuSeconds();

}  // namespace rls

#endif  // RLS_BENCH_SUPPORT_PROCESS_CPU_H_
