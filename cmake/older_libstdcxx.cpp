// With GCC 12, std::condition_variable::wait got a second symbol version, GLIBCXX_3.4.30: a program
// that is linked with it does not start on RHEL 9 and its like (libstdc++ of GCC 11). The first
// version does the same. A bundled program is linked with --wrap, which leads all calls here.
#include <condition_variable>
#include <mutex>

extern "C" {

__asm__(
    ".symver air_first_wait, "
    "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");
void air_first_wait(std::condition_variable*, std::unique_lock<std::mutex>*);

void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(
    std::condition_variable* self, std::unique_lock<std::mutex>* lock) {
  air_first_wait(self, lock);
}

}  // extern "C"
