// Asio's own code, compiled once for the program.
#include <boost/asio/impl/src.hpp>
