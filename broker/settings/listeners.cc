#include "broker/settings/listeners.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

using ParsedListener = std::variant<Listener, std::string>;  // or why not

/// NAME://host:port, NAME://[v6]:port, NAME://:port.
ParsedListener parse_listener(std::string_view text) {
  const auto malformed = [&] {
    return fmt::format("{} is not of the form NAME://host:port", text);
  };
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos || scheme_end == 0) return malformed();
  Listener listener;
  listener.name = upper(text.substr(0, scheme_end));
  const std::string_view address = text.substr(scheme_end + 3);
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return malformed();
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fmt::format("the IPv6 address in {} must stand in [ ]", text);
  }
  const std::string_view port = address.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), listener.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return fmt::format("the port in {} must be 0 to 65535", text);
  }
  listener.host = host;
  return listener;
}

bool is_wildcard(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

const Listener* find_by_name(const std::vector<Listener>& listeners, std::string_view name) {
  for (const Listener& listener : listeners) {
    if (listener.name == name) return &listener;
  }
  return nullptr;
}

class Reading {
 public:
  explicit Reading(const ConfigLayers& layers) : layers_(layers) {}

  std::variant<Listeners, SettingProblem> run() {
    if (!read_protocols() || !read_bound() || !read_advertised()) return problem_;
    return std::move(result_);
  }

 private:
  bool fail(std::string name, std::string reason) {
    problem_ = {std::move(name), std::move(reason)};
    return false;
  }

  std::vector<std::string> list(std::string_view name) const {
    return split_list(layers_.value(name).value_or(""));
  }

  bool read_protocols() {
    for (const std::string& name : list("controller.listener.names")) {
      controllers_.insert(upper(name));
    }
    for (const std::string& entry : list("listener.security.protocol.map")) {
      const std::size_t colon = entry.find(':');
      if (colon == std::string::npos) {
        return fail("listener.security.protocol.map",
                    fmt::format("{} is not of the form NAME:PROTOCOL", entry));
      }
      protocols_[upper(trim(std::string_view(entry).substr(0, colon)))] =
          upper(trim(std::string_view(entry).substr(colon + 1)));
    }
    return true;
  }

  bool read_list(const std::string& setting, std::vector<Listener>& out) {
    for (const std::string& text : list(setting)) {
      ParsedListener parsed = parse_listener(text);
      if (auto* why = std::get_if<std::string>(&parsed)) return fail(setting, std::move(*why));
      Listener& listener = std::get<Listener>(parsed);
      if (controllers_.contains(listener.name)) continue;
      if (find_by_name(out, listener.name) != nullptr) {
        return fail(setting, fmt::format("the listener {} stands in it twice", listener.name));
      }
      out.push_back(std::move(listener));
    }
    return true;
  }

  bool read_bound() {
    if (!read_list("listeners", result_.bound)) return false;
    if (result_.bound.empty()) {
      return fail("listeners", "no listener for clients is left; name one, as PLAINTEXT://:9092");
    }
    std::set<std::uint16_t> ports;
    for (Listener& listener : result_.bound) {
      const auto protocol = protocols_.find(listener.name);
      if (protocol == protocols_.end()) {
        return fail("listeners", fmt::format("{} has no entry in listener.security.protocol.map",
                                             listener.name));
      }
      if (protocol->second != "PLAINTEXT") {
        return fail("listeners",
                    fmt::format("{} asks for {}, but this version speaks PLAINTEXT only",
                                listener.name, protocol->second));
      }
      if (listener.port != 0 && !ports.insert(listener.port).second) {
        return fail("listeners", fmt::format("two listeners want port {}", listener.port));
      }
      if (is_wildcard(listener.host)) listener.host.clear();
    }
    return true;
  }

  bool read_advertised() {
    std::vector<Listener> advertised;
    const std::string setting = "advertised.listeners";
    if (!read_list(setting, advertised)) return false;
    for (const Listener& listener : advertised) {
      if (is_wildcard(listener.host)) {
        return fail(setting, fmt::format("clients cannot connect to {}; name an address that they "
                                         "reach",
                                         listener.host));
      }
      if (find_by_name(result_.bound, listener.name) == nullptr) {
        return fail(setting, fmt::format("{} is not in listeners", listener.name));
      }
    }
    for (const Listener& listener : result_.bound) {
      const Listener* const given = find_by_name(advertised, listener.name);
      result_.advertised.push_back(given != nullptr ? *given : listener);
    }
    return true;
  }

  const ConfigLayers& layers_;
  std::set<std::string> controllers_;
  std::map<std::string, std::string> protocols_;
  Listeners result_;
  SettingProblem problem_;
};

}  // namespace

std::variant<Listeners, SettingProblem> read_listeners(const ConfigLayers& layers) {
  return Reading(layers).run();
}

}  // namespace chronik::broker
