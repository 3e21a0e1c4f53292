// The other end of a session by an independent engine: QuickFIX (https://quickfixengine.org, C++ library).
//
// usage: quickfix_peer SETTINGS JOURNAL acceptor          takes orders and reports until it is ended
//        quickfix_peer SETTINGS JOURNAL initiator ORDERS  sends so many orders, waits for their echoes, logs out
//
// SETTINGS is QuickFIX's own file; its sessions keep numbers and messages in files. JOURNAL gets a line for each
// order that the application was given ("D ClOrdID MsgSeqNum PossDupFlag"), on the disk before its report leaves,
// and is read at the start: an order that is in it is not taken again. Session rejects are in it as "3 text".
#include <quickfix/Application.h>
#include <quickfix/FileStore.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/SocketAcceptor.h>
#include <quickfix/SocketInitiator.h>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string field(const FIX::FieldMap& fields, int tag) { return fields.isSetField(tag) ? fields.getField(tag) : ""; }

struct Order {
    std::string symbol, side, units;
    // Every second order trades at once, the others stay open.
    bool trades(const std::string& name) const { return (name.back() - '0') % 2 == 0; }
};

class Peer : public FIX::Application {
   public:
    Peer(const std::string& path) : path_(path) {
        std::ifstream before(path);
        for (std::string line; std::getline(before, line);) {
            std::istringstream words(line);
            std::string kind, name;
            Order order;
            if (words >> kind >> name >> order.symbol >> order.side >> order.units && kind == "D") orders_[name] = order;
        }
        journal_ = fopen(path.c_str(), "a");
    }

    std::atomic<int> echoes{0};
    std::atomic<bool> up{false};
    FIX::SessionID session;

    void onCreate(const FIX::SessionID& id) override { session = id; }
    void onLogon(const FIX::SessionID&) override { up = true; }
    void onLogout(const FIX::SessionID&) override { up = false; }
    void toAdmin(FIX::Message&, const FIX::SessionID&) noexcept override {}
    void toApp(FIX::Message&, const FIX::SessionID&) noexcept override {}

    void fromAdmin(const FIX::Message& message, const FIX::SessionID&) noexcept override {
        if (field(message.getHeader(), 35) == "3") note("3 " + field(message, 58));
    }

    void fromApp(const FIX::Message& message, const FIX::SessionID& id) noexcept override {
        const std::string kind = field(message.getHeader(), 35), name = field(message, 11);
        if (kind == "8") return;
        if (kind == "AF") return report_all(field(message, 584), id);
        if (kind == "H") return report(name, id, "I", {});
        if (kind != "D") return;
        if (initiates) {
            ++echoes;
            return;
        }
        const std::string again = field(message.getHeader(), 43);
        const Order order{field(message, 55), field(message, 54), field(message, 38)};
        note("D " + name + " " + order.symbol + " " + order.side + " " + order.units + " " +
             field(message.getHeader(), 34) + " " + (again.empty() ? "N" : again));
        if (!orders_.emplace(name, order).second) return;
        report(name, id, "0", {});
    }

    bool initiates = false;

   private:
    using More = std::map<int, std::string>;

    void note(const std::string& line) {
        fprintf(journal_, "%s\n", line.c_str());
        fflush(journal_);
        fsync(fileno(journal_));
    }

    void report(const std::string& name, const FIX::SessionID& id, const std::string& kind, const More& more) {
        const auto found = orders_.find(name);
        const bool known = found != orders_.end();
        const bool old = id.getBeginString().getValue() == "FIX.4.2";
        const std::string status = !known ? "8" : found->second.trades(name) ? "2" : "0";
        FIX::Message message;
        message.getHeader().setField(35, "8");
        message.setField(37, known ? "Q" + name : "NONE");
        message.setField(17, std::to_string(++reports_) + "-" + std::to_string(getpid()));
        if (old) message.setField(20, kind == "I" ? "3" : "0");
        message.setField(11, name);
        message.setField(150, old ? status : kind == "0" && status == "2" ? "F" : kind);
        message.setField(39, status);
        message.setField(55, known ? found->second.symbol : "NONE");
        message.setField(54, known ? found->second.side : "1");
        message.setField(151, status == "0" ? found->second.units : "0");
        message.setField(14, status == "2" ? found->second.units : "0");
        message.setField(6, "0");
        for (const auto& one : more) message.setField(one.first, one.second);
        FIX::Session::sendToTarget(message, id);
    }

    void report_all(const std::string& request, const FIX::SessionID& id) {
        std::vector<std::string> open;
        for (const auto& one : orders_)
            if (!one.second.trades(one.first)) open.push_back(one.first);
        if (open.empty()) return report("NONE", id, "I", {{584, request}, {911, "1"}, {912, "Y"}});
        for (std::size_t at = 0; at < open.size(); ++at)
            report(open[at], id, "I",
                   {{584, request}, {911, std::to_string(open.size())}, {912, at + 1 == open.size() ? "Y" : "N"}});
    }

    std::string path_;
    FILE* journal_;
    std::map<std::string, Order> orders_;
    int reports_ = 0;
};

bool within(int seconds, const std::function<bool()>& done) {
    for (int k = 0; k < seconds * 100; ++k) {
        if (done()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

int send_orders(Peer& peer, int count) {
    if (!within(30, [&] { return peer.up.load(); })) return 2;
    for (int k = 1; k <= count; ++k) {
        FIX::Message message;
        message.getHeader().setField(35, "D");
        message.setField(11, "Q" + std::to_string(k));
        message.setField(21, "1");
        message.setField(38, "5");
        message.setField(40, "1");
        message.setField(54, "1");
        message.setField(55, "BTC-28MAR25-50000-C");
        message.setField(60, FIX::UtcTimeStampConvertor::convert(FIX::UtcTimeStamp(), 3));
        FIX::Session::sendToTarget(message, peer.session);
    }
    return within(30, [&] { return peer.echoes == count; }) ? 0 : 3;
}

}  // namespace

int main(int count, char** words) try {
    if (count < 4) return 64;
    const FIX::SessionSettings settings(words[1]);
    FIX::FileStoreFactory stores(settings);
    Peer peer(words[2]);
    if (std::string(words[3]) == "acceptor") {
        FIX::SocketAcceptor acceptor(peer, stores, settings);
        acceptor.start();
        std::cout << "listening" << std::endl;
        while (getppid() != 1) std::this_thread::sleep_for(std::chrono::milliseconds(200));
        acceptor.stop(true);
        return 0;
    }
    peer.initiates = true;
    FIX::SocketInitiator initiator(peer, stores, settings);
    initiator.start();
    const int status = send_orders(peer, std::stoi(words[4]));
    initiator.stop();
    std::cout << "echoes " << peer.echoes << std::endl;
    return status;
} catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
}
