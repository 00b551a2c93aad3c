// What Swift's Glibc module leaves out.
#include <malloc.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
