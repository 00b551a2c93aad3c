// What Swift's Glibc module leaves out.
#include <linux/filter.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
