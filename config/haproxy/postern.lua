-- @FOLDER@/postern.lua: asks postern-gate before each request. `postern print-config haproxy` overwrites this
-- file each time: do not change it.
--
-- http-request lua.postern_check    grants or denies access; sets the headers that name the user
-- http-request lua.postern_proxy    proves to the gate that a request for its own pages comes from HAProxy
--
-- HAProxy loads this file as root, and only then gives root up: only root can read the secret.

local GATE = "http://127.0.0.1:9091"

-- The secret is never a header of the request that goes on to the application.
local function read_secret(path)
    local file = assert(io.open(path, "r"))
    local secret = assert(file:read("*l"), path .. " is empty")
    file:close()
    return secret
end

local SECRET = read_secret("@FOLDER@/postern-proof")

-- The client's headers that the gate may know. The others are not sent to it.
local SENT = { "accept", "authorization", "cookie", "sec-fetch-mode", "x-requested-with" }

-- They come from the gate, never from the client.
local RECEIVED = { "remote-user", "remote-groups", "remote-email", "remote-name", "cookie", "authorization" }

local PAGE = '<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>%s</title><body style="font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem"><h1>%s</h1><p>%s</p></body></html>\n'
local FAILED = PAGE:format("Please try again later", "Please try again later",
    "Your sign-in could not be checked, so access is denied. Please try again in a minute. For administrators: postern-gate does not answer; see its log and the log of HAProxy.")

-- Lists of headers begin with index 0.
local function values(headers, name)
    local list, found = headers[name], {}
    local index = 0
    while list and list[index] do
        found[#found + 1] = list[index]
        index = index + 1
    end
    return found
end

local function reply(txn, status, text, headers)
    headers["cache-control"] = { "no-store" }
    if text ~= "" then
        headers["content-type"] = { "text/html; charset=utf-8" }
    end
    txn:done(txn:reply({ status = status, headers = headers, body = text }))
end

local function describe(txn)
    local headers = txn.http:req_get_headers()
    local check = {
        ["x-postern-proxy"] = { SECRET },
        ["x-forwarded-method"] = { txn.f:method() },
        ["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" },
        ["x-forwarded-uri"] = { txn.f:pathq() },
        ["x-forwarded-for"] = { txn.f:src() },
        ["x-forwarded-host"] = values(headers, "host"),
    }
    for _, name in ipairs(SENT) do
        local sent = values(headers, name)
        if #sent > 0 then
            check[name] = sent
        end
    end
    return check
end

local function check(txn)
    local asked, response = pcall(function()
        return core.httpclient():get({ url = GATE .. "/check/haproxy", headers = describe(txn), timeout = 5000 })
    end)
    local status = asked and response and response.status
    if status == 200 then
        for _, name in ipairs(RECEIVED) do
            local received = values(response.headers, name)
            -- The gate sends each of them once. Anything else is no reply of a gate.
            if #received ~= 1 then
                return reply(txn, 503, FAILED, {})
            end
            txn.http:req_del_header(name)
            if received[1] ~= "" then
                txn.http:req_set_header(name, received[1])
            end
        end
    elseif status == 302 then
        reply(txn, 302, "", { location = values(response.headers, "location") })
    elseif status == 401 then
        reply(txn, 401, "", { ["www-authenticate"] = values(response.headers, "www-authenticate") })
    elseif status == 403 then
        -- For a page load, the gate sends a page.
        reply(txn, 403, response.body or "", {})
    else
        reply(txn, 503, FAILED, {})
    end
end

local function prove(txn)
    txn.http:req_set_header("x-postern-proxy", SECRET)
end

core.register_action("postern_check", { "http-req" }, check)
core.register_action("postern_proxy", { "http-req" }, prove)
