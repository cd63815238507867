-- Bodies for wrk. Arguments: alerts per body, and "new" (every alert is a new episode) or "repeat" (always the same).
local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

local counter = 0

local function body(alerts, starts)
  local parts = {}
  for index = 1, alerts do
    counter = counter + 1
    parts[index] = '{"status":"firing","labels":{"alertname":"BenchAlert","container":"bench-' .. counter % 1000 ..
      '","instance":"10.0.0.' .. id .. ':9100","job":"node","severity":"warning","n":"' .. id .. '-' .. counter ..
      '"},"annotations":{"summary":"The service is not answering","runbook":"https://runbooks.example/bench"},' ..
      '"startsAt":"' .. starts .. '","endsAt":"0001-01-01T00:00:00Z",' ..
      '"generatorURL":"http://prometheus.example:9090/graph?g0.expr=up+%3D%3D+0","fingerprint":"0000000000000000"}'
  end
  return '{"receiver":"bench","status":"firing","alerts":[' .. table.concat(parts, ",") ..
    '],"groupLabels":{"alertname":"BenchAlert"},"commonLabels":{"alertname":"BenchAlert"},"commonAnnotations":{},' ..
    '"externalURL":"http://alertmanager.example:9093","version":"4","groupKey":"{}:{alertname=\\"BenchAlert\\"}",' ..
    '"truncatedAlerts":0}\n'
end

function init(args)
  alerts = tonumber(args[1])
  new = args[2] == "new"
  starts = os.date("!%Y-%m-%dT%H:%M:%SZ")
  -- One thread's repeats are another's too: all of them know the same alerts.
  if not new then id = 0; fixed = wrk.format("POST", nil, { ["Content-Type"] = "application/json" }, body(alerts, starts)) end
end

function request()
  if not new then return fixed end
  return wrk.format("POST", nil, { ["Content-Type"] = "application/json" }, body(alerts, starts))
end

local refused = 0
function response(status)
  if status ~= 200 then refused = refused + 1 end
end

function done(summary, latency)
  local seconds = summary.duration / 1000000
  local errors = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %.0f %d %.2f %.2f\n", summary.requests / seconds, errors,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
